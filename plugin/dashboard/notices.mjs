// Prints the licences of the packages whose code is in the build.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const LEFT_OUT = new Set(["zarrita"]); // replaced by src/lib/no-zarr.ts
const read = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

const found = new Map();
function add(name, from) {
  if (LEFT_OUT.has(name)) return;
  const folder = [join(from, "node_modules", name), join("node_modules", name)].find((one) => existsSync(join(one, "package.json")));
  if (!folder) throw new Error(`${name} is not installed`);
  if (found.has(folder)) return;
  found.set(folder, read(folder));
  for (const next of Object.keys(found.get(folder).dependencies ?? {})) add(next, folder);
}
for (const name of Object.keys(read(".").dependencies)) add(name, ".");

const parts = [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([folder, about]) => {
  const file = readdirSync(folder).sort().find((name) => /^licen[cs]e/i.test(name));
  const text = file ? readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim() : "";
  return `${about.name} ${about.version} (${about.license})\n\n${text}\n`;
});
process.stdout.write(`Code of these packages is part of the dashboard.\n\n${parts.join(`\n${"-".repeat(78)}\n\n`)}`);
