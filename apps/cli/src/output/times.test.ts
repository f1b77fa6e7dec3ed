import { expect, test } from "vitest";

import { durationText, readDuration } from "./times.ts";

test("a duration is shown in its two largest units", () => {
  expect([0, 59.6, 61, 3_600, 273_661].map(durationText)).toEqual(["0 s", "1 min", "1 min 1 s", "1 h", "3 d 4 h"]);
});

test("a duration is read from a number and a unit, and nothing else is one", () => {
  expect(["90s", "15m", "1.5h", "7d", "2w"].map(readDuration)).toEqual([
    90_000, 900_000, 5_400_000, 604_800_000, 1_209_600_000,
  ]);
  expect(["", "h", "1", "1 h", "-1h", "1y"].map(readDuration)).toEqual(Array(6).fill(undefined));
});
