import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseCsv, toCsv } from "../src/lib/csv";
import { explain } from "../src/lib/refused";
import { rootOf } from "../src/lib/root";
import { pick } from "../src/lib/rows";
import { sorted, toggled } from "../src/lib/sort";
import { ago, moment, span } from "../src/lib/time";
import { href, parse } from "../src/lib/url";
import { tokenIn } from "../src/lib/csrf";

describe("addresses", () => {
  it("come back as they were written, whatever is in them", () => {
    const path = ["c", "A/B ?#%", "subjects"];
    const made = parse(href(path, { q: "a&b=c", verdict: ["pass", "fail"], none: undefined, empty: "" }));
    expect(made.path).toEqual(path);
    expect(made.query.get("q")).toBe("a&b=c");
    expect(made.query.getAll("verdict")).toEqual(["pass", "fail"]);
    expect(made.query.has("none") || made.query.has("empty")).toBe(false);
  });
  it("keep the context path of the server", () => {
    expect(rootOf("/lethe/")).toBe("");
    expect(rootOf("/xnat/lethe/index.html")).toBe("/xnat");
    expect(rootOf("/other")).toBe("");
  });
  it("with a broken per cent sign do not stop the page", () => {
    expect(parse("#/c/%zz").path).toEqual(["c", "%zz"]);
  });
});

describe("CSV", () => {
  it("comes back as it was written", () => {
    const lines = [["a", 'say "yes"'], ["b,c", "two\nlines"], ["", "-5"]];
    expect(parseCsv(toCsv(["x", "y"], lines))).toEqual([["x", "y"], ...lines]);
  });
  it("makes formulas harmless and leaves numbers alone", () => {
    expect(toCsv(["a", "b"], [["=HYPERLINK(1)", -3.5], ["@x", "+4"]])).toBe("a,b\r\n'=HYPERLINK(1),-3.5\r\n'@x,+4\r\n");
  });
  it("of a German spreadsheet is read, too", () => {
    expect(parseCsv("\uFEFFlabel;mrs_3m\r\nP1;2\r\n\r\nP2;\r\n")).toEqual([["label", "mrs_3m"], ["P1", "2"], ["P2", ""]]);
  });
});

describe("lists", () => {
  it("find columns however the server spells them", () => {
    const found = [{ ID: "E1", "xnat:imagesessiondata/acquisition_site": "Bern", xsitype: "xnat:ctSessionData" }];
    expect(pick(found, ["ID", "acquisition_site", "xsiType", "gone"])).toEqual([{ ID: "E1", acquisition_site: "Bern", xsiType: "xnat:ctSessionData", gone: "" }]);
  });
  it("put numbers in order and what is missing last, in both directions", () => {
    const columns = [{ key: "a", value: (row: { a: string }) => row.a }];
    const rows = ["S10", "", "S2"].map((a) => ({ a }));
    expect(sorted(rows, columns, "a").map((row) => row.a)).toEqual(["S2", "S10", ""]);
    expect(sorted(rows, columns, "-a").map((row) => row.a)).toEqual(["S10", "S2", ""]);
    expect([toggled("", "a"), toggled("a", "a"), toggled("-a", "a")]).toEqual(["a", "-a", ""]);
  });
});

describe("times", () => {
  it("are relative", () => {
    const now = moment("2024-05-01 10:15:00.0");
    expect(ago(now - 5_000, now)).toBe("just now");
    expect(ago(now - 12 * 60_000, now)).toBe("12 min ago");
    expect(ago(now - 50 * 3_600_000, now)).toBe("2 d ago");
    expect(ago(moment(""), now)).toBe("");
    expect(span(38_000)).toBe("00:38");
  });
});

describe("refusals", () => {
  it("show the server's sentence without its markup", () => {
    expect(explain(409, "<html><body><h3>The label &lt;b&gt; is taken.</h3></body></html>", "text/html")).toBe("The label <b> is taken.");
    expect(explain(403, "", "text/plain")).toBe("You may not do this.");
    expect(explain(500, '{"message":"no server"}', "application/json")).toBe("no server");
  });
  it("know the token in its answer", () => {
    expect(tokenIn("ABC; XNAT_CSRF=1f2e-aa")).toBe("1f2e-aa");
    expect(tokenIn("ABC")).toBeNull();
  });
});

it("no source puts text into the page as markup", () => {
  const files = (folder: string): string[] =>
    readdirSync(folder).flatMap((name) => {
      const path = join(folder, name);
      return statSync(path).isDirectory() ? files(path) : [path];
    });
  const bad = /dangerouslySetInnerHTML|\.(inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\(|new Function/;
  expect(files(join(__dirname, "../src")).filter((path) => bad.test(readFileSync(path, "utf8")))).toEqual([]);
});
