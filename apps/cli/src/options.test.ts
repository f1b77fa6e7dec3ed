import { expect, test } from "vitest";

import { timeIn, wholeNumber } from "./options.ts";

test("a time is RFC 3339, a day, seconds since 1970, or a duration before or from now", () => {
  expect(timeIn("past")("2026-11-30T01:00:00+01:00").toISOString()).toBe("2026-11-30T00:00:00.000Z");
  expect(timeIn("past")("1769083200").toISOString()).toBe("2026-01-22T12:00:00.000Z");
  expect(timeIn("past")("2026-11-30")).toEqual(new Date(2026, 10, 30));
  const now = Date.now();
  expect(Math.abs(timeIn("past")("1h").getTime() - (now - 3_600_000))).toBeLessThan(60_000);
  expect(Math.abs(timeIn("future")("2d").getTime() - (now + 172_800_000))).toBeLessThan(60_000);
  for (const wrong of ["yesterday", "1y", "-1h", "", "5", "2026"])
    expect(() => timeIn("past")(wrong)).toThrow("Write a time such as");
});

test("a whole number is digits within its limits", () => {
  expect([wholeNumber(1, 9)("9"), wholeNumber(0)("0")]).toEqual([9, 0]);
  for (const wrong of ["0", "10", "1.5", "-1", "1e1", "", "many"])
    expect(() => wholeNumber(1, 9)(wrong)).toThrow("It must be a whole number from 1 to 9.");
  expect(() => wholeNumber(1)("0")).toThrow("It must be a whole number of at least 1.");
});
