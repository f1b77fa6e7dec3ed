// From an operation to the list of what it works on.

import { expect, test } from "vitest";

import { searchOfOperation } from "./operation-search.ts";

test("the filters of an operation select the same in the list", () => {
  const filter = { target: "tgt_1", status_code: ["5xx", "none"], min_attempts: 3, since: "2026-01-22T00:00:00Z" };
  expect(searchOfOperation({ kind: "cancel_deliveries", filter })).toEqual({
    target: "tgt_1",
    status_code: ["5xx", "none"],
    min_attempts: "3",
    since: "2026-01-22T00:00:00Z",
  });
});

test("what is no filter of the list is left out, and so is the status that a retry changed", () => {
  const filter = { status: ["exhausted"], event_type: "batch.failed" };
  expect(searchOfOperation({ kind: "retry_deliveries", filter })).toEqual({ event_type: "batch.failed" });
  const replay = { all: true, again: true, targets: ["tgt_1"], filter: "true" };
  expect(searchOfOperation({ kind: "replay_events", filter: replay })).toEqual({});
});
