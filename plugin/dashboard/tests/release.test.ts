import { describe, expect, it } from "vitest";
import { opens } from "../src/screens/people/levels";
import { bytes, gates, type Evidence } from "../src/screens/release/gates";

const evidence: Evidence = {
  verdicts: [{ verdict: "pass" }, { verdict: "review" }],
  subjects: ["A", "B"],
  records: [{ subject: "A", mrs_3m: "2", lost_followup: "" }, { subject: "B", mrs_3m: "", lost_followup: "yes" }],
  governance: {
    centres: {
      BAS: { name: "Basel", agreement: { reference: "DTA-1", since: "2024-01-01", until: "2026-12-31" }, ethics: { since: "2024-01-01" } },
      BRN: { agreement: { since: "2024-01-01", until: "2025-01-01" }, ethics: { since: "2027-01-01" } },
    },
    profile: { name: "stroke", approved_by: "Board", approved: "2024-02-02" },
  },
  today: "2026-06-01",
  links: { review: "#r", clinical: "#c" },
};
const states = (found: Evidence) => Object.fromEntries(gates(found).map((gate) => [gate.key, gate.state]));

describe("the gates", () => {
  it("are open while one image, record or document is missing, has ended or has not begun", () => {
    expect(states(evidence)).toEqual({ review: "open", records: "met", agreement: "open", ethics: "open", profile: "met" });
    expect(gates(evidence).find((gate) => gate.key === "agreement")!.lines).toEqual(["Basel: DTA-1 2024-01-01 to 2026-12-31", "BRN: 2024-01-01 to 2025-01-01: has ended"]);
  });
  it("are met with everything at hand", () => {
    const basel = { BAS: evidence.governance!.centres!.BAS! };
    expect(new Set(Object.values(states({ ...evidence, verdicts: [{ verdict: "pass" }], governance: { ...evidence.governance, centres: basel } })))).toEqual(new Set(["met"]));
  });
  it("are never met by nothing", () => {
    expect(states({ ...evidence, verdicts: [], subjects: [], records: [], governance: {} })).toEqual({
      review: "open", records: "open", agreement: "open", ethics: "open", profile: "open",
    });
  });
  it("say when they may not be seen", () => {
    expect(states({ ...evidence, verdicts: undefined, governance: undefined })).toMatchObject({ review: "unknown", agreement: "unknown" });
    expect(states({ ...evidence, governance: null })).toMatchObject({ agreement: "open" });
  });
});

describe("sizes and steps", () => {
  it("are written for people", () => {
    expect([0, 999, 1000, 1_234_567, 34_000_000_000].map(bytes)).toEqual(["0 B", "999 B", "1.0 kB", "1.2 MB", "34 GB"]);
  });
  it("each way has its consequences", () => {
    for (const [from, to] of [["private", "public"], ["public", "private"], ["protected", "public"], ["private", "protected"]] as const) expect(opens(from, to).length).toBeGreaterThan(0);
    expect(opens("private", "public").join(" ")).toContain("called back");
    expect(opens("protected", "public").join(" ")).not.toContain("Name and description");
  });
});
