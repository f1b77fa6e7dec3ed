// One resource for people: a line for each field, by the names that the API has, and a table for each list of objects in it.

import { type Column, cellText, type Surface, tableLines } from "./table.ts";
import { styleOfState, styleOfStatusCode } from "./style.ts";
import { widthOf } from "./text.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- the rows of these tables are what the API answers.
type AnyColumn = Column<any>;

const INDENT = "  ";

export interface RecordView {
  /** The columns of the lists in it, by the name of their field. A list without columns has one for each plain field. */
  tables?: Readonly<Record<string, readonly AnyColumn[]>>;
  /** What stands behind an id, such as the name of a target. */
  nameOf?: (id: string) => string | undefined;
}

export function recordLines(record: object, surface: Surface, view: RecordView = {}): string[] {
  const fields: [string, unknown][] = [];
  const lists: [string, readonly object[]][] = [];
  const documents: [string, unknown][] = [];
  const collect = (object: object, prefix: string) => {
    for (const [name, value] of Object.entries(object)) {
      const path = prefix + name;
      if (path === "payload" || path === "before" || path === "after") {
        if (value !== null) documents.push([path, value]);
      } else if (Array.isArray(value) && value.some((one) => typeof one === "object" && one !== null)) {
        lists.push([path, value]);
      } else if (typeof value === "object" && value !== null && !Array.isArray(value)) {
        if (Object.keys(value).length === 0) fields.push([path, null]);
        else collect(value, `${path}.`);
      } else fields.push([path, value]);
    }
  };
  collect(record, "");
  const width = Math.max(0, ...fields.map(([name]) => widthOf(name)));
  const lines = fields.map(([name, value]) => {
    const shown = cellText(value, surface);
    const known = typeof value === "string" ? view.nameOf?.(value) : undefined;
    const text = known === undefined ? shown : `${known} (${shown})`;
    const style =
      typeof value === "string" ? styleOfState(value) : name === "status_code" ? styleOfStatusCode(value) : undefined;
    return `${surface.paint("bold", name)}${" ".repeat(width - widthOf(name))}  ${surface.paint(style, text)}`;
  });
  const inner = { ...surface, width: surface.width && surface.width - INDENT.length };
  for (const [name, rows] of lists) {
    const columns = view.tables?.[name] ?? columnsOf(rows);
    lines.push("", surface.paint("bold", name), ...tableLines(rows, columns, inner).map((line) => INDENT + line));
  }
  for (const [name, value] of documents) {
    const text = JSON.stringify(value, null, 2).split("\n");
    lines.push("", surface.paint("bold", name), ...text.map((line) => INDENT + cellText(line, surface)));
  }
  return lines;
}

function columnsOf(rows: readonly object[]): AnyColumn[] {
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  return [...names].map((name) => ({
    title: name.toUpperCase().replaceAll("_", " "),
    value: (row: Record<string, unknown>) => row[name],
    shrinksTo: 12,
  }));
}
