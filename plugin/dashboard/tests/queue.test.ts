import { describe, expect, it } from "vitest";
import dictionary from "../src/generated/dictionary.json";
import { faults, type RecordType } from "../src/screens/clinical/record";
import { remarksText, residualWord } from "../src/screens/review/marks";
import { itemsOf, ownLabel, queueFor, reviewed, sampleOf, standing, type Assessment } from "../src/screens/review/queue";

function assessment(more: Partial<Assessment>): Assessment {
  return {
    id: "E9", label: "S1_CT1_DQC_2", sessionId: "E1", session: "S1_CT1", subject: "S1", scan: "2", scanType: "CTA", verdict: "review",
    autoVerdict: "review", reviewer: "", removedMl: "", brainKept: "", score: "", residual: "", brain: "", remarks: "", method: "",
    methodVersion: "", at: 1, ...more,
  };
}

describe("the queue of a reader", () => {
  it("holds what the machine was not sure of", () => {
    const all = [
      assessment({}),
      assessment({ sessionId: "E2", verdict: "pass", autoVerdict: "pass" }),
      assessment({ sessionId: "E3", verdict: "fail", autoVerdict: "fail" }),
    ];
    expect(queueFor(itemsOf(all), "ann").map((item) => item.key)).toEqual(["E1/2"]);
  });

  it("loses an item when a person has spoken, and the newest word decides", () => {
    const all = [assessment({}), assessment({ reviewer: "ann", verdict: "pass", at: 2 })];
    expect(itemsOf(all)[0]!.standing).toBe("passed");
    expect(itemsOf([...all, assessment({ reviewer: "bob", verdict: "fail", at: 3 })])[0]!.standing).toBe("failed");
    expect(queueFor(itemsOf(all), "bob")).toEqual([]);
  });

  it("gives an item to a second reader, not back to the first", () => {
    const items = itemsOf([assessment({}), assessment({ reviewer: "ann", verdict: "review", at: 2 })]);
    expect(queueFor(items, "ann")).toEqual([]);
    expect(queueFor(items, "bob")).toHaveLength(1);
  });

  it("has an item again when its verdict was withdrawn or the machine ran anew", () => {
    expect(queueFor(itemsOf([assessment({}), assessment({ reviewer: "ann", verdict: "pending", at: 2 })]), "ann")).toHaveLength(1);
    expect(queueFor(itemsOf([assessment({ reviewer: "ann", verdict: "pass", at: 1 }), assessment({ at: 2 })]), "ann")).toHaveLength(1);
  });
});

describe("the word of people", () => {
  const machine = assessment({ at: 1 });
  const word = (...people: [string, string, number][]) =>
    reviewed(machine, people.map(([reviewer, verdict, at]) => assessment({ reviewer, verdict, at })));
  it("passes after a second reader was asked for only when it is another's", () => {
    expect(word(["ann", "review", 2], ["ann", "pass", 3])).toBe("review");
    expect(word(["ann", "review", 2], ["bob", "pass", 3])).toBe("pass");
    expect(word(["ann", "review", 2], ["bob", "fail", 3])).toBe("fail");
  });
  it("of a fail outlives a new run, that of a pass does not; what failed is looked at again", () => {
    expect(word(["ann", "fail", 0])).toBe("fail");
    expect(word(["ann", "pass", 0])).toBeUndefined();
    expect(word(["bob", "fail", -1], ["ann", "pass", 0])).toBe("fail");
    expect(standing(machine, [assessment({ reviewer: "ann", verdict: "fail", at: 0 })])).toBe("waits");
  });
  it("counts only for a result that the program has recorded", () => {
    expect(reviewed(undefined, [assessment({ reviewer: "ann", verdict: "pass" })])).toBeUndefined();
  });
});

describe("the label of a verdict", () => {
  const machine = assessment({});
  it("is a reader's own, so that nobody's is overwritten", () => {
    const [item] = itemsOf([machine, assessment({ reviewer: "ann", verdict: "review", label: "S1_CT1_DQC_2_ann", at: 2 })]);
    expect(ownLabel(item!, "bob", [machine])).toEqual({ label: "S1_CT1_DQC_2_bob", isNew: true });
  });
  it("is new when this reader had asked for a second one", () => {
    const own = assessment({ reviewer: "ann", verdict: "review", label: "S1_CT1_DQC_2_ann", at: 2 });
    expect(ownLabel(itemsOf([machine, own])[0]!, "ann", [machine, own])).toEqual({ label: "S1_CT1_DQC_2_ann_2", isNew: true });
  });
  it("stays while a reader changes the own mind, and is new for a new result", () => {
    const own = assessment({ reviewer: "ann", verdict: "pass", label: "S1_CT1_DQC_2_ann", at: 2 });
    const [item] = itemsOf([machine, own]);
    expect(ownLabel(item!, "ann", [machine, own])).toEqual({ label: "S1_CT1_DQC_2_ann", isNew: false });
    const anew = assessment({ at: 3 });
    const [later] = itemsOf([machine, own, anew]);
    expect(ownLabel(later!, "ann", [machine, own, anew])).toEqual({ label: "S1_CT1_DQC_2_ann_2", isNew: true });
  });
  it("has only letters that every server takes", () => {
    const odd = assessment({ session: "<b> ü", scan: "1.2" });
    expect(ownLabel(itemsOf([odd])[0]!, "a@b", [odd]).label).toMatch(/^[A-Za-z0-9_-]+$/);
  });
});

describe("the sample", () => {
  const items = itemsOf(Array.from({ length: 60 }, (_, n) => assessment({ sessionId: `E${n}`, verdict: "pass", autoVerdict: "pass" })));
  const site = (item: { sessionId: string }) => (Number(item.sessionId.slice(1)) < 50 ? "large" : "small");
  it("is the same for the same seed and another for another", () => {
    const drawn = sampleOf(items, 10, "a", site).map((item) => item.key);
    expect(sampleOf([...items].reverse(), 10, "a", site).map((item) => item.key)).toEqual(drawn);
    expect(sampleOf(items, 10, "b", site).map((item) => item.key)).not.toEqual(drawn);
  });
  it("takes as many of a small site as of a large one", () => {
    expect(sampleOf(items, 10, "a", site).filter((item) => site(item) === "small")).toHaveLength(5);
  });
  it("ends when there is no more", () => {
    expect(sampleOf(items, 500, "a", site)).toHaveLength(60);
  });
});

describe("marks", () => {
  it("become the one word of the data type, and the remark says the rest", () => {
    expect(residualWord([])).toBe("none");
    expect(residualWord(["ears"])).toBe("ears");
    expect(residualWord(["ears", "nose"])).toBe("several");
    expect(remarksText({ residual: ["ears", "nose"], brain: "none", remarks: " left " })).toBe("Visible: ears, nose. left");
  });
  it("that show a face do not go with a pass", () => {
    const found = (values: Record<string, string>) => faults(dictionary.types.defaceQcData as unknown as RecordType, values).map((one) => one.id);
    const said = { reviewer: "ann", reviewed_at: "2026-05-31T08:30:00", verdict: "pass", brain_damage: "none", face_residual: residualWord([]) };
    expect(found(said)).toEqual([]);
    expect(found({ ...said, face_residual: residualWord(["eyes"]) })).toEqual(["pass-with-face"]);
    expect(found({ ...said, verdict: "fail", face_residual: residualWord(["eyes"]) })).toEqual([]);
    expect(found({ ...said, brain_damage: "major" })).toEqual(["pass-with-cut-brain"]);
  });
});
