// Tables fit a terminal and lose nothing elsewhere, and what a sender wrote does nothing to a terminal.

import { expect, test } from "vitest";

import { jsonText } from "../cli-context.ts";
import { recordLines } from "./record.ts";
import { type Column, tableLines } from "./table.ts";
import { widthOf } from "./text.ts";
import { localTime } from "./times.ts";

interface Row {
  id: string;
  name: string;
  at: string | null;
  note: string;
}

const paint = (_style: unknown, text: string) => text;
const COLUMNS: Column<Row>[] = [
  { title: "ID", value: ({ id }) => id },
  { title: "NAME", value: ({ name }) => name, shrinksTo: 6 },
  { title: "AT", value: ({ at }) => at },
  { title: "NOTE", value: ({ note }) => note, shrinksTo: 4, spare: 1 },
];
const ROWS: Row[] = [
  { id: "id_1", name: "a name that is long", at: "2026-11-30T12:00:00.000Z", note: "short" },
  { id: "id_2", name: "動画の送り先です", at: null, note: "" },
];

test("elsewhere nothing is cut, and times are those of the API", () => {
  expect(tableLines(ROWS, COLUMNS, { width: undefined, paint })).toEqual([
    "ID    NAME                 AT                        NOTE",
    "id_1  a name that is long  2026-11-30T12:00:00.000Z  short",
    "id_2  動画の送り先です     -                         -",
  ]);
});

test.for([200, 60, 50, 46, 40, 37])("a terminal of %i columns gets lines that fit, with whole ids", (width) => {
  const lines = tableLines(ROWS, COLUMNS, { width, paint });
  expect(lines).toHaveLength(3);
  for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
  expect(lines[1]).toContain("id_1");
  expect(lines[1]).toContain(localTime("2026-11-30T12:00:00.000Z"));
});

test("what may be left out goes before anything else is cut to less than it may be", () => {
  const [titles, first] = tableLines(ROWS, COLUMNS, { width: 36, paint });
  expect(titles).not.toContain("NOTE");
  expect(first).toMatch(/^id_1 {2}a name t… {2}2026-/);
});

test("control characters and marks of direction are shown and do nothing, in tables, records and JSON", () => {
  const evil = "a\u001b[2Jb\u009b31mc\u202ed\ne";
  const row = { id: "id_3", name: evil, at: null, note: evil };
  const [, line = ""] = tableLines([row], COLUMNS, { width: undefined, paint });
  expect(line).toContain(String.raw`a\u001b[2Jb\u009b31mc\u202ed\ne`);
  const record = recordLines({ name: evil, payload: { deep: evil } }, { width: 80, paint }).join("");
  for (const shown of [line, record, jsonText(row)])
    // oxlint-disable-next-line no-control-regex -- these are what it is about.
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  expect(JSON.parse(jsonText(row))).toEqual(row);
});
