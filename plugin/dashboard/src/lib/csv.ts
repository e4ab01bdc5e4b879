// CSV both ways. Written cells that a spreadsheet would take for a formula are made harmless.

export type Cell = string | number | null | undefined;

function cellText(value: Cell): string {
  let text = value === null || value === undefined ? "" : String(value);
  if (/^[=+\-@\t\r]/.test(text) && !/^[+-]?\d+([.,]\d+)?$/.test(text)) text = `'${text}`;
  return /[",;\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function toCsv(titles: readonly string[], lines: readonly (readonly Cell[])[]): string {
  return [titles, ...lines].map((line) => line.map(cellText).join(",")).join("\r\n") + "\r\n";
}

/** A line with its number in the file, as an editor counts (a quoted cell may span several). */
export interface CsvLine {
  line: number;
  cells: string[];
}

/** Lines of a CSV text: quoted cells, doubled quotes, `,` `;` or tab between cells (judged by the first line). */
export function parseCsv(text: string): string[][] {
  return parseCsvLines(text).map((one) => one.cells);
}

export function parseCsvLines(text: string): CsvLine[] {
  const source = text.replace(/^\uFEFF/, "");
  const first = source.split(/\r?\n/, 1)[0] ?? "";
  const between = [",", ";", "\t"].reduce((best, one) => (first.split(one).length > first.split(best).length ? one : best));
  const lines: CsvLine[] = [];
  let cells: string[] = [];
  let cell = "";
  let quoted = false;
  let began = 1;
  let number = 1;
  const endLine = () => {
    cells.push(cell);
    if (cells.length > 1 || cell !== "") lines.push({ line: began, cells });
    cells = [];
    cell = "";
    began = number;
  };
  for (let at = 0; at < source.length; at += 1) {
    const letter = source[at]!;
    if (letter === "\n") number += 1;
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (source[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else quoted = false;
    } else if (letter === '"' && cell === "") quoted = true;
    else if (letter === between) {
      cells.push(cell);
      cell = "";
    } else if (letter === "\n") endLine();
    else if (letter !== "\r" || source[at + 1] !== "\n") cell += letter;
  }
  endLine();
  return lines;
}

/** Hand a text to the browser as a file. */
export function save(name: string, text: string, type = "text/csv;charset=utf-8"): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
