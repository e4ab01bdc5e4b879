// What a reader ticks: where the face shows and what happened to the brain.

export const RESIDUALS = ["ears", "eyes", "nose", "mouth", "brow"] as const;
export const BRAINS = ["none", "minor", "major"] as const;
export const BRAIN_WORDS: Record<string, string> = { none: "intact", minor: "slightly cut", major: "cut" };

export interface Marks {
  residual: string[];
  brain: string;
  remarks: string;
}

export const NO_MARKS: Marks = { residual: [], brain: "none", remarks: "" };

/** The one word the data type has for it. */
export function residualWord(marked: readonly string[]): string {
  return marked.length === 0 ? "none" : marked.length === 1 ? marked[0]! : "several";
}

/** Remarks carry what the one word "several" cannot. */
export function remarksText(marks: Marks): string {
  const places = marks.residual.length > 1 ? `Visible: ${marks.residual.join(", ")}. ` : "";
  return `${places}${marks.remarks.trim()}`.trim();
}
