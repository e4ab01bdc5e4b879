// The stroke record as data: elements, what a cell may hold, and the cross-checks, read as Python reads them.

export interface Code {
  value: string;
  label: string;
}

export interface Element {
  name: string;
  group: string;
  label: string;
  unit: string;
  type: string;
  minimum: number | null;
  maximum: number | null;
  step: number | null;
  codes: Code[];
  length: number | null;
  required_for: string;
  publish: string;
  applies: Record<string, string[]>;
  hint: string;
}

export type Expression = readonly unknown[];

export interface Check {
  id: string;
  severity: string;
  sentence: string;
  remedy: string;
  elements: string[];
  fault: Expression;
}

export interface RecordType {
  element: string;
  title: string;
  groups: { name: string; title: string }[];
  elements: Element[];
  checks: Check[];
}

/** Values of one record by element; empty or absent is "not filled". */
export type Values = Readonly<Record<string, string>>;

const INTEGER = /^-?[0-9]+$/;
const NUMBER = /^-?[0-9]+(\.[0-9]{1,9})?$/;

export function valueOf(values: Values, name: string): string {
  return (values[name] ?? "").trim();
}

/** What is wrong with a filled text; empty when nothing is. */
export function cellFault(element: Element, text: string): string {
  switch (element.type) {
    case "code":
    case "answer":
      return element.codes.some((code) => code.value === text) ? "" : `must be one of ${element.codes.map((code) => code.value).join(", ")}`;
    case "integer":
      return INTEGER.test(text) ? rangeFault(element, Number(text)) : "must be a whole number";
    case "decimal":
      return NUMBER.test(text) ? rangeFault(element, Number(text)) : "must be a number with a decimal point";
    default:
      return [...text].length > (element.length ?? 255) ? `must have at most ${element.length ?? 255} characters` : "";
  }
}

function rangeFault(element: Element, value: number): string {
  const { minimum, maximum } = element;
  if ((minimum === null || value >= minimum) && (maximum === null || value <= maximum)) return "";
  if (minimum !== null && maximum !== null) return `must lie between ${minimum} and ${maximum}`;
  return minimum !== null ? `must be at least ${minimum}` : `must be at most ${maximum}`;
}

/** Whether an element can be filled at all, given the others. */
export function isAsked(element: Element, values: Values): boolean {
  return Object.entries(element.applies).every(([other, wanted]) => wanted.includes(valueOf(values, other)));
}

/** "Asked only with Endovascular therapy = yes." */
export function whenAsked(element: Element, record: RecordType): string {
  const parts = Object.entries(element.applies).map(
    ([other, wanted]) => `${record.elements.find((one) => one.name === other)?.label ?? other} = ${wanted.join(" or ")}`,
  );
  return parts.length ? `Asked only with ${parts.join(" and ")}.` : "";
}

/** Whether an expression of a check is true of a record (see the dictionary for its words). */
export function holds(expression: Expression, values: Values): boolean {
  const [word, ...rest] = expression as [string, ...unknown[]];
  if (word === "and") return rest.every((one) => holds(one as Expression, values));
  if (word === "or") return rest.some((one) => holds(one as Expression, values));
  if (word === "not") return !holds(rest[0] as Expression, values);
  const text = valueOf(values, String(rest[0]));
  if (word === "filled") return text !== "";
  if (word === "is") return rest.slice(1).some((value) => same(text, String(value)));
  if (word === "less") return less(text, valueOf(values, String(rest[1])));
  if (word === "above") return less(String(rest[1]), text);
  return less(text, String(rest[1]));
}

const PLAIN = /^-?[0-9]+(\.[0-9]+)?$/;

function same(text: string, value: string): boolean {
  return PLAIN.test(text) && PLAIN.test(value) ? Number(text) === Number(value) : text === value;
}

function less(one: string, other: string): boolean {
  return PLAIN.test(one) && PLAIN.test(other) && Number(one) < Number(other);
}

export function faults(record: RecordType, values: Values): Check[] {
  return record.checks.filter((check) => holds(check.fault, values));
}

/** A record that says it is complete must be without errors; a draft may have some. */
export function isFinal(values: Values): boolean {
  return ["complete", "verified"].includes(valueOf(values, "record_status"));
}

/** Whether two texts of an element say the same (numbers as numbers: a server may write 3 for 3.0). */
export function sameValue(one: string, other: string): boolean {
  return same(one.trim(), other.trim());
}
