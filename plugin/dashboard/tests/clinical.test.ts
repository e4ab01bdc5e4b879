import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import dictionary from "../src/generated/dictionary.json";
import { parseCsvLines } from "../src/lib/csv";
import { bySite, cellState, percent, shareOf } from "../src/screens/clinical/completeness";
import { dryRun, refusedLines, type Known } from "../src/screens/clinical/dryrun";
import { conflicts, merged } from "../src/screens/clinical/merge";
import { cellFault, faults, isAsked, type RecordType } from "../src/screens/clinical/record";

const types = dictionary.types as unknown as Record<string, RecordType>;
const clinical = types.clinicalData!;
const element = (name: string) => clinical.elements.find((one) => one.name === name)!;

interface Vector {
  name: string;
  type: string;
  record: Record<string, string>;
  faults: string[];
}
const vectors = (
  JSON.parse(readFileSync(new URL("../../../tests/data/clinical_cross_checks.json", import.meta.url), "utf8")) as { records: Vector[] }
).records;

describe("cross-checks find what Python finds", () => {
  it.each(vectors.map((one) => [one.name, one] as const))("%s", (_, vector) => {
    expect(faults(types[vector.type]!, vector.record).map((check) => check.id)).toEqual(vector.faults);
  });
  it("each of them at least once", () => {
    const found = new Set(vectors.flatMap((one) => one.faults));
    expect(Object.values(types).flatMap((type) => type.checks.map((check) => check.id)).filter((id) => !found.has(id))).toEqual([]);
  });
});

describe("a cell", () => {
  it("holds a number within its range", () => {
    expect(cellFault(element("nihss_admission"), "14")).toBe("");
    expect(cellFault(element("nihss_admission"), "43")).toBe("must lie between 0 and 42");
    expect(cellFault(element("nihss_admission"), "14.5")).toBe("must be a whole number");
    expect(cellFault(element("glucose_mmol_l"), "5,6")).toBe("must be a number with a decimal point");
    expect(cellFault(element("glucose_mmol_l"), "5.6")).toBe("");
    expect(cellFault(element("glucose_mmol_l"), "1e1")).not.toBe("");
  });
  it("holds one of the codes", () => {
    expect(cellFault(element("ivt"), "yes")).toBe("");
    expect(cellFault(element("ivt"), "Yes")).toBe("must be one of yes, no, unknown");
  });
  it("holds a text that is not too long", () => {
    expect(cellFault(element("remarks"), "ä".repeat(2000))).toBe("");
    expect(cellFault(element("remarks"), "ä".repeat(2001))).not.toBe("");
  });
});

describe("what is not asked", () => {
  it("is not missing", () => {
    expect(isAsked(element("ivt_agent"), { ivt: "no" })).toBe(false);
    const rows = [{ ivt: "no" }, { ivt: "yes" }, { ivt: "yes", ivt_agent: "alteplase" }, {}].map((values, at) => ({
      subject: `S${at}`, site: at < 2 ? "Bern" : "", label: "", values, modified: "",
    }));
    expect(rows.map((row) => cellState(element("ivt_agent"), row))).toEqual(["not-asked", "missing", "filled", "not-asked"]);
    expect(shareOf(element("ivt_agent"), rows)).toEqual({ filled: 1, of: 2 });
    expect(bySite([element("ivt")], rows)).toEqual([["Bern", { filled: 2, of: 2 }], ["site unknown", { filled: 1, of: 2 }]]);
  });
  it("is shown as a share that is whole only when it is", () => {
    expect(percent({ filled: 999, of: 1000 })).toBe("99 %");
    expect(percent({ filled: 3, of: 3 })).toBe("100 %");
    expect(percent({ filled: 0, of: 0 })).toBe("–");
  });
});

describe("the dry run of a table", () => {
  const subjects = new Set(["A1", "A2", "A3"]);
  const known: Known[] = [{ label: "A1_CLIN_1", subject: "A1", values: { event_no: "1", mrs_3m: "2", age_years: "70" }, modified: "m" }];
  const run = (text: string) => dryRun(parseCsvLines(text), clinical, subjects, known);

  it("tells new, changed, same and refused lines apart", () => {
    const found = run("subject,age_years,mrs_3m\nA1,71,2\nA2,55,3\nA1x,3,3\nA3,155,3\n");
    expect(found.changed).toEqual([
      { line: 2, subject: "A1", label: "A1_CLIN_1", isNew: false, changes: [{ name: "age_years", old: "70", now: "71" }], warnings: [] },
    ]);
    expect(found.fresh.map((one) => [one.line, one.label, one.changes.map((change) => `${change.name}=${change.now}`)])).toEqual([
      [3, "A2_CLIN_1", ["event_no=1", "age_years=55", "mrs_3m=3"]],
    ]);
    expect(found.refused).toEqual([
      { line: 4, subject: "A1x", reasons: ["This subject is not in the collection."] },
      { line: 5, subject: "A3", reasons: ["age_years must lie between 0 and 130."] },
    ]);
    expect(run("subject,age_years,mrs_3m\nA1,70.0,2\n").refused).toHaveLength(1);
    expect(run("subject,mrs_3m\nA1,2\n").same).toBe(1);
  });

  it("leaves a value alone where the cell is empty", () => {
    expect(run("subject,age_years,mrs_3m\nA1,,2\n").same).toBe(1);
  });

  it("counts lines as an editor does, blank lines and broken cells included", () => {
    const found = run('subject;remarks;mrs_3m\r\n\r\nA2;"two\r\nlines";9\r\nA3;x;8\r\n');
    expect(found.refused.map((one) => one.line)).toEqual([3, 5]);
  });

  it("refuses a second line about the same event, a wrong number of cells, and an empty subject", () => {
    const found = run("subject,mrs_3m\nA2,1\nA2,2\nA3\n,1\n");
    expect(found.refused.map((one) => one.reasons[0])).toEqual([
      "Line 2 is about the same subject and event.",
      "The line has 1 cells, the first line has 2.",
      "The subject is empty.",
    ]);
  });

  it("refuses what contradicts itself in a record that says it is complete, and warns in a draft", () => {
    const draft = run("subject,mrs_3m,death\nA2,6,no\n");
    expect(draft.fresh[0]!.warnings).toHaveLength(1);
    const complete = run("subject,mrs_3m,death,record_status\nA2,6,no,complete\n");
    expect(complete.refused[0]!.reasons[0]).toContain("death");
  });

  it("checks a changed line together with what is there already", () => {
    const found = run("subject,mrs_discharge,record_status\nA1,6,complete\n");
    expect(found.refused[0]!.reasons.join(" ")).toContain("A score below 6 follows one of 6.");
  });

  it("refuses a file that cannot be meant", () => {
    expect(run("").faults).toHaveLength(1);
    expect(run("patient,mrs_3m\nA1,2\n").faults[0]).toContain('"subject"');
    expect(run("subject,mrs_3m,mrs_3m\nA1,2,2\n").faults[0]).toContain("twice");
    expect(run("subject,mrs_3m\n").faults).toHaveLength(1);
    expect(run("subject,name\nA1,x\n").faults).toHaveLength(1);
  });

  it("says which columns it does not read", () => {
    expect(run("subject,mrs_3m,name\nA1,2,x\n").notRead).toEqual(["name"]);
  });

  it("finds a record by its event whatever its label", () => {
    const odd: Known[] = [{ label: "other", subject: "A2", values: { event_no: "2" }, modified: "" }];
    expect(dryRun(parseCsvLines("subject,event_no,mrs_3m\nA2,2,1\n"), clinical, subjects, odd).changed[0]!.label).toBe("other");
  });

  it("takes back the guard that keeps a spreadsheet from computing", () => {
    expect(run("subject,remarks\nA2,'=1+1\n").fresh[0]!.changes.at(-1)!.now).toBe("=1+1");
  });

  it("hands the refused lines back with their reasons", () => {
    const lines = parseCsvLines("subject,mrs_3m\nA1,1\nB9,1\n");
    expect(refusedLines(lines, dryRun(lines, clinical, subjects, known))).toEqual({
      titles: ["subject", "mrs_3m", "reason"],
      lines: [["B9", "1", "This subject is not in the collection."]],
    });
  });
});

describe("two people at one record", () => {
  const base = { mrs_3m: "2", age_years: "70" };
  it("see what the other stored, whether or not they touched it", () => {
    expect(conflicts(base, { ...base, mrs_3m: "3" }, { ...base, age_years: "71" })).toEqual([{ name: "mrs_3m", base: "2", theirs: "3", mine: "2" }]);
    expect(conflicts(base, { ...base, mrs_3m: "3" }, { ...base, mrs_3m: "4" })).toEqual([{ name: "mrs_3m", base: "2", theirs: "3", mine: "4" }]);
    expect(conflicts(base, { ...base, mrs_3m: "3" }, { ...base, mrs_3m: "3.0" })).toEqual([]);
    expect(conflicts(base, base, { ...base, mrs_3m: "3" })).toEqual([]);
  });
  it("keep both edits, and theirs where told so", () => {
    const theirs = { ...base, mrs_3m: "3" };
    expect(merged(base, theirs, { ...base, age_years: "71" }, new Set())).toEqual({ mrs_3m: "3", age_years: "71" });
    expect(merged(base, theirs, { ...base, mrs_3m: "4" }, new Set())).toEqual({ mrs_3m: "4", age_years: "70" });
    expect(merged(base, theirs, { ...base, mrs_3m: "4" }, new Set(["mrs_3m"]))).toEqual(theirs);
  });
});
