import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { funnel, type Facts, type Funnel } from "../src/lib/funnel";

const vectors = JSON.parse(readFileSync(join(__dirname, "../../../tests/data/funnel.json"), "utf8")) as { name: string; facts: Facts; funnel: Funnel }[];

it.each(vectors)("$name", (vector) => {
  expect(funnel(vector.facts)).toEqual(vector.funnel);
});
