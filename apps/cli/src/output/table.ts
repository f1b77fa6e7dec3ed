// Tables: one line for each row. On a terminal they are as wide as it at most: columns that may be left out are left out, and long
// values are cut. Elsewhere nothing is cut, so that a script gets every value whole.

import type { Painter, Style } from "./style.ts";
import { isApiTime, localTime } from "./times.ts";
import { shorten, visibleText, widthOf } from "./text.ts";

export interface Column<Row> {
  title: string;
  value: (row: Row) => unknown;
  style?: (row: Row) => Style | undefined;
  /** Its values may be cut, to no less than so many columns. Ids are never cut: somebody copies them. */
  shrinksTo?: number;
  /** It is left out where the terminal is too narrow; the highest number first. */
  spare?: number;
  isNumber?: boolean;
}

/** Where a table, or a record, is shown. */
export interface Surface {
  /** The width of the terminal; undefined elsewhere. */
  width: number | undefined;
  paint: Painter;
}

const GAP = "  ";

/** A value as people read it. */
export function cellText(value: unknown, { width }: Pick<Surface, "width">): string {
  if (value === null || value === undefined || value === "") return "-";
  if (typeof value === "string") return width !== undefined && isApiTime(value) ? localTime(value) : visibleText(value);
  if (Array.isArray(value)) return value.length === 0 ? "-" : value.map((one) => cellText(one, { width })).join(",");
  return visibleText(JSON.stringify(value));
}

/** @returns the lines of the table, the titles first. */
export function tableLines<Row>(rows: readonly Row[], columns: readonly Column<Row>[], surface: Surface): string[] {
  const cells = rows.map((row) => columns.map(({ value }) => cellText(value(row), surface)));
  const natural = columns.map(({ title }, index) =>
    Math.max(widthOf(title), ...cells.map((line) => widthOf(line[index] ?? ""))),
  );
  const widths = surface.width === undefined ? natural : fit(natural, columns, surface.width);
  const shown = columns.flatMap((column, index) => {
    const width = widths[index];
    return width === undefined ? [] : [{ column, index, width }];
  });
  const lineOf = (texts: readonly string[], styleOf: (column: Column<Row>) => Style | undefined) => {
    const parts = shown.map(({ column, index, width }, place) => {
      const text = shorten(texts[index] ?? "", width);
      const room = " ".repeat(width - widthOf(text));
      const painted = surface.paint(styleOf(column), text);
      if (column.isNumber === true) return room + painted;
      return place === shown.length - 1 ? painted : painted + room;
    });
    const line = parts.join(GAP);
    return surface.width === undefined ? line : line.trimEnd();
  };
  const titles = lineOf(
    columns.map(({ title }) => title),
    () => "bold",
  );
  return [titles, ...rows.map((row, index) => lineOf(cells[index] ?? [], ({ style }) => style?.(row)))];
}

/** The width of each column; undefined for one that is left out. */
function fit<Row>(natural: readonly number[], columns: readonly Column<Row>[], room: number): (number | undefined)[] {
  const widths: (number | undefined)[] = [...natural];
  const total = () => {
    const present = widths.filter((width) => width !== undefined);
    return present.reduce((sum, width) => sum + width, 0) + GAP.length * (present.length - 1);
  };
  const least = (index: number) => Math.min(natural[index] ?? 0, columns[index]?.shrinksTo ?? Infinity);
  const leastTotal = () => {
    const present = widths.flatMap((width, index) => (width === undefined ? [] : [least(index)]));
    return present.reduce((sum, width) => sum + width, 0) + GAP.length * (present.length - 1);
  };
  const spare = columns
    .flatMap((column, index) => (column.spare === undefined ? [] : [{ index, spare: column.spare }]))
    .toSorted((one, other) => other.spare - one.spare);
  for (const { index } of spare) if (leastTotal() > room) widths[index] = undefined;
  // The widest gives first, so that short values stay whole for longest.
  while (total() > room) {
    const candidates = widths.flatMap((width, index) =>
      width !== undefined && width > least(index) ? [{ width, index }] : [],
    );
    const [widest] = candidates.toSorted((one, other) => other.width - one.width);
    if (widest === undefined) break;
    widths[widest.index] = widest.width - 1;
  }
  return widths;
}
