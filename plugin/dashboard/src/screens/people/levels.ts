// The three visibilities in words: what a step opens or closes, and to whom.
import type { Visibility } from "../../lib/session";

export const LEVELS: readonly { level: Visibility; title: string; opens: string }[] = [
  { level: "private", title: "Private", opens: "Only people with a role know that it exists." },
  { level: "protected", title: "Protected", opens: "Everybody with an account sees name and description and may ask for access. The data stay with those who have a role." },
  { level: "public", title: "Public", opens: "Everybody sees the images and records and may download them, without an account where this site is open. Nobody outside may change anything." },
];

export const INTAKE_RULE = "An intake project holds images with faces. It stays private; what may be seen by others is released into the collection.";

const RANK: Record<Visibility, number> = { private: 0, protected: 1, public: 2 };

/** What changes when one goes from one level to another. */
export function opens(from: Visibility, to: Visibility): string[] {
  const steps = RANK[to] - RANK[from];
  if (steps > 0) {
    const lines = [];
    if (from === "private") lines.push("Name and description can be seen by everybody with an account, who may ask for access.");
    if (to === "public") lines.push("Images and clinical records can be seen and downloaded by everybody, without an account where this site is open.", "What was downloaded cannot be called back.");
    return lines;
  }
  const lines = [];
  if (from === "public") lines.push("Images and clinical records can be seen only by people with a role. What was downloaded before is not called back.");
  if (to === "private") lines.push("Others no longer see that it exists, and cannot ask for access.");
  return lines;
}
