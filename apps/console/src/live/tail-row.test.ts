// The rows of the live list, and which of them the filters of the address let through.

import type { TailEntry } from "@sluice/client/tail";
import { expect, test } from "vitest";

import { passesFilters, readTailRow, relayPart } from "./tail-row.ts";

const attempt = (changes: object = {}) =>
  readTailRow({
    event: "attempt",
    lastEventId: "1",
    data: {
      id: "att_1",
      delivery: "dlv_1",
      started_at: "2026-01-22T12:00:00.000Z",
      duration_ms: 250,
      status_code: 500,
      error: "HTTP 500",
      event_type: "batch.failed",
      source: "src_1",
      target: "tgt_1",
      ...changes,
    },
  } as TailEntry);

const received = () =>
  readTailRow({
    event: "event",
    lastEventId: "1",
    data: { id: "evt_1", received_at: "2026-01-22T12:00:00.000Z", type: "batch.failed", source: "src_1" },
  } as TailEntry);

test("an attempt stands at the time of its end, and leads to its delivery", () => {
  expect(attempt()).toMatchObject({ at: "2026-01-22T12:00:00.250Z", to: "/deliveries/dlv_1", what: "attempt failed" });
});

const keyOfChange = (change: string) =>
  readTailRow({
    event: "delivery",
    lastEventId: "1",
    data: { change, at: "2026-01-22T12:00:00Z", delivery: { id: "dlv_1" } },
  } as TailEntry).key;

test("a delivery has another key for each of its changes, and the same for a change that is sent twice", () => {
  expect(keyOfChange("created")).toBe(keyOfChange("created"));
  expect(keyOfChange("created")).not.toBe(keyOfChange("succeeded"));
});

test.each([
  [{}, true],
  [{ kind: "attempt" }, true],
  [{ kind: "event" }, false],
  [{ event_type: "batch.*" }, true],
  [{ event_type: "batch" }, false],
  [{ event_type: ["video.*", "batch.failed"] }, true],
  [{ target: "tgt_1", source: "src_1" }, true],
  [{ target: "tgt_2" }, false],
  [{ outcome: "bad" }, true],
  [{ outcome: "good" }, false],
  [{ status_code: "5xx" }, true],
  [{ status_code: ["404", "500"] }, true],
  [{ status_code: "none" }, false],
])("a failed attempt and the filters %j: %s", (search, passes) => {
  expect(passesFilters(attempt(), search)).toBe(passes);
});

test("an event has no target and no answer, so filters of them leave it out", () => {
  expect(passesFilters(received(), { event_type: "batch.*" })).toBe(true);
  expect(passesFilters(received(), { target: "tgt_1" })).toBe(false);
  expect(passesFilters(received(), { status_code: "none" })).toBe(false);
});

test("an attempt without an answer is one of “none”", () => {
  expect(passesFilters(attempt({ status_code: null, error: "ECONNREFUSED" }), { status_code: "none" })).toBe(true);
});

test("the filters that a row cannot be compared with go to the relay, and the others stay in the browser", () => {
  const search = { kind: "attempt", label: ["team:a"], data_id: "batches/1", status_code: "5xx", outcome: "bad" };
  expect(relayPart(search)).toEqual({ label: ["team:a"], data_id: "batches/1" });
  expect(passesFilters(attempt(), search)).toBe(true);
});
