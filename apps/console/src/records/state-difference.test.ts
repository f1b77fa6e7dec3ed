// The audit trail's before and after, as fields.

import { expect, test } from "vitest";

import { compareStates } from "./state-difference.ts";

const changed = (...states: Parameters<typeof compareStates>) =>
  compareStates(...states)
    .filter(({ isChanged }) => isChanged)
    .map(({ path, before, after }) => [path, before, after]);

test("only the fields that differ are changed, also inside objects and lists of objects", () => {
  const before = { name: "a", retry: { base_seconds: 1, cap_seconds: 2 }, signing_secrets: [{ id: "x" }] };
  const after = { name: "a", retry: { base_seconds: 5, cap_seconds: 2 }, signing_secrets: [{ id: "x" }, { id: "y" }] };
  expect(changed(before, after)).toEqual([
    ["retry.base_seconds", 1, 5],
    ["signing_secrets.1.id", undefined, "y"],
  ]);
});

test("a list of plain values is one field", () => {
  expect(changed({ subscribed_events: ["batch.*"] }, { subscribed_events: ["batch.*", "video.*"] })).toEqual([
    ["subscribed_events", ["batch.*"], ["batch.*", "video.*"]],
  ]);
});

test("a new resource has only an after, and a deleted one only a before", () => {
  expect(changed(null, { name: "a", filter: null })).toEqual([
    ["name", undefined, "a"],
    ["filter", undefined, null],
  ]);
  expect(changed({ name: "a" }, null)).toEqual([["name", "a", undefined]]);
});
