import { expect, test } from "vitest";

import { type AttemptResult, isTargetFailure } from "./attempt-result.ts";
import { decideOutcome } from "./outcome.ts";

const settings = { retryBaseSeconds: 5, retryCapSeconds: 3600, retryHorizonSeconds: 86_400 };
const attempt = (changes: Partial<AttemptResult>): AttemptResult => ({
  startedAtMs: 0,
  durationMs: 1,
  statusCode: 500,
  error: null,
  responseExcerpt: "",
  retryAfterMs: undefined,
  seen: { address: null, connectMs: null, firstByteMs: null, responseHeaders: null },
  ...changes,
});
const decide = (changes: Partial<AttemptResult>, deadlineInMs = 86_400_000, number = 1) =>
  decideOutcome(attempt(changes), number, deadlineInMs, settings, 0);

test.for([200, 201, 204, 299])("%i is success", (statusCode) => {
  expect(decide({ statusCode })).toEqual({ status: "succeeded" });
});

test("a success after the deadline is a success", () => {
  expect(decide({ statusCode: 200 }, -1)).toEqual({ status: "succeeded" });
});

test.for([101, 199, 300, 302, 400, 404, 410, 429, 500, 503])("%i is tried again", (statusCode) => {
  expect(decide({ statusCode })).toEqual({ status: "pending", retryInMs: 5_000 });
});

test("a 2xx whose response did not complete is tried again", () => {
  expect(decide({ statusCode: 200, error: "timeout" })).toMatchObject({ status: "pending" });
});

test("no answer at all is tried again", () => {
  expect(decide({ statusCode: null, error: "connection" })).toMatchObject({ status: "pending" });
});

test("Retry-After wins over the schedule, up to the deadline", () => {
  expect(decide({ retryAfterMs: 120_000 })).toEqual({ status: "pending", retryInMs: 120_000 });
  expect(decide({ retryAfterMs: 120_000 }, 60_000)).toEqual({ status: "pending", retryInMs: 60_000 });
});

test("Retry-After is honoured up to a quarter of the horizon, so that tries are left", () => {
  expect(decide({ retryAfterMs: 9_999_999_999_000 })).toEqual({ status: "pending", retryInMs: 21_600_000 });
  const short = { ...settings, retryHorizonSeconds: 400 };
  expect(decideOutcome(attempt({ retryAfterMs: 300_000 }), 1, 400_000, short, 0)).toMatchObject({ retryInMs: 100_000 });
});

test("the schedule's own pause may be longer than a quarter of the horizon", () => {
  const short = { ...settings, retryHorizonSeconds: 400 };
  expect(decideOutcome(attempt({}), 6, 400_000, short, 0.999_999)).toMatchObject({ retryInMs: 320_000 });
});

test("Retry-After does not bring an attempt sooner than the schedule's base", () => {
  expect(decide({ retryAfterMs: 0 })).toEqual({ status: "pending", retryInMs: 5_000 });
  expect(decide({ retryAfterMs: 1_000 })).toEqual({ status: "pending", retryInMs: 5_000 });
});

test("the last attempt is made at the deadline, and only it exhausts the delivery", () => {
  expect(decide({}, 1_000)).toEqual({ status: "pending", retryInMs: 1_000 });
  expect(decide({}, 0)).toEqual({ status: "exhausted" });
  expect(decide({}, -5)).toEqual({ status: "exhausted" });
});

test.for([
  [200, false],
  [299, false],
  // An answer for the address, not for the event.
  [301, true],
  [304, true],
  [400, false],
  [404, false],
  [408, true],
  [410, false],
  [422, false],
  [429, true],
  [500, true],
  [503, true],
] as const)("%i is a failure of the target and not of the one event: %s", ([statusCode, isFailure]) => {
  expect(isTargetFailure(attempt({ statusCode }))).toBe(isFailure);
});

test("no complete response is a failure of the target, whatever its status", () => {
  expect(isTargetFailure(attempt({ statusCode: null, error: "connection" }))).toBe(true);
  expect(isTargetFailure(attempt({ statusCode: 404, error: "timeout" }))).toBe(true);
});
