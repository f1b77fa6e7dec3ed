// The address is plain parameters, and gives back what was put in.

import { expect, test } from "vitest";

import { isEmptySearch, parseSearch, stringifySearch } from "./search-params.ts";

test("parameters survive the way through the address", () => {
  const search = { since: "-24h", label: ["team:billing", "a&b=c"], error: "100 % of Ünïcode" };
  expect(parseSearch(stringifySearch(search))).toEqual(search);
});

test("what is not set leaves no trace, and times stay readable", () => {
  expect(stringifySearch({ since: "2026-01-22T12:00:00Z", until: undefined, status: "" })).toBe(
    "?since=2026-01-22T12:00:00Z",
  );
  expect(stringifySearch({})).toBe("");
});

test("an empty search selects nothing", () => {
  expect(isEmptySearch({ label: [], since: undefined })).toBe(true);
  expect(isEmptySearch({ since: "-1h" })).toBe(false);
});
