// From the rows of /v1/stats to the columns of a chart.

import { expect, test } from "vitest";

import { readGrid, stackColumns, toColumn, toColumns } from "./chart-data.ts";

const MINUTE_MS = 60_000;
const SINCE = "2026-01-22T12:00:00.000Z";
const grid = readGrid(SINCE, "2026-01-22T12:03:00.000Z", MINUTE_MS);
const at = (minute: number, group: string, count: number) => ({
  start: new Date(Date.parse(SINCE) + minute * MINUTE_MS).toISOString(),
  group,
  count,
});
const read = { keyOf: ({ group }: { group: string }) => group, valueOf: ({ count }: { count: number }) => count };

test("an interval without rows has its place, and rows of one interval add up", () => {
  expect(toColumn(grid, [at(0, "a", 2), at(0, "b", 3), at(2, "a", 1)], read.valueOf)).toEqual([5, 0, 1]);
  expect(toColumn(grid, [at(2, "a", 1)], read.valueOf, null)).toEqual([null, null, 1]);
});

test("an interval that has only begun is one, too", () => {
  expect(readGrid(SINCE, "2026-01-22T12:02:01.000Z", MINUTE_MS)).toHaveLength(3);
});

test("the largest groups come first, and the rest is one column", () => {
  const rows = [at(0, "small", 1), at(0, "large", 9), at(1, "middle", 5), at(2, "tiny", 1), at(2, "empty", 0)];
  expect(toColumns(grid, rows, read, 2)).toEqual([
    { key: "large", values: [9, 0, 0] },
    { key: "middle", values: [0, 5, 0] },
    { key: null, values: [1, 0, 1] },
  ]);
});

test("columns are stacked", () => {
  expect(
    stackColumns([
      [1, null, 2],
      [3, 4, 0],
    ]),
  ).toEqual([
    [1, 0, 2],
    [4, 4, 2],
  ]);
});
