// A record as XNAT's own XML document. Values travel in the body: an address would end up in logs on the way.
import dictionary from "../generated/dictionary.json";

export interface DataType {
  xsi_type: string;
  root_element: string;
  elements: { name: string }[];
}

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escape(text: string): string {
  // characters that XML cannot carry at all are left out
  return text.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "").replace(/[&<>"]/g, (letter) => ESCAPES[letter]!);
}

/** The document of the given values, in the order of the data type; empty values are left out. */
export function documentOf(type: DataType, values: Readonly<Record<string, string>>): string {
  const lines = type.elements
    .map(({ name }) => [name, (values[name] ?? "").trim()] as const)
    .filter(([, text]) => text !== "")
    .map(([name, text]) => `  <lethe:${name}>${escape(text)}</lethe:${name}>`);
  const root = `lethe:${type.root_element}`;
  const spaces = `xmlns:lethe="${escape(dictionary.namespace)}" xmlns:xnat="http://nrg.wustl.edu/xnat"`;
  return [`<?xml version="1.0" encoding="UTF-8"?>`, `<${root} ${spaces}>`, ...lines, `</${root}>`, ""].join("\n");
}

/** Query parameters that empty elements; they hold no value of anybody. */
export function clearing(type: DataType, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`${type.xsi_type}/${name}`, "NULL"]));
}
