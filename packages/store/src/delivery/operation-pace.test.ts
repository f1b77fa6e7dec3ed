// A bulk retry pauses exactly when a target has more due deliveries than it finishes in the pause.

import { expect, test } from "vitest";

import { maxDue, pauseBeforeNextStepMs } from "./operation-pace.ts";

const target = { isTaking: true, maxInFlight: 8, perSecond: null, due: 0 };
const full = { ...target, due: maxDue(8) + 1 };

test("an operation pauses while a target has more due than it finishes in the pause", () => {
  expect(pauseBeforeNextStepMs([target, full])).toBe(1_000);
  expect(pauseBeforeNextStepMs([{ ...full, maxInFlight: 9 }])).toBe(0);
  expect(pauseBeforeNextStepMs([{ ...target, due: maxDue(8) }])).toBe(0);
});

test("an operation waits for a rate limit too", () => {
  expect(pauseBeforeNextStepMs([{ ...target, perSecond: 2.5, due: 3 }])).toBe(0);
  expect(pauseBeforeNextStepMs([{ ...target, perSecond: 2.5, due: 4 }])).toBe(1_000);
});

test("a target that takes nothing causes no pause", () => {
  expect(pauseBeforeNextStepMs([{ ...full, isTaking: false }, target])).toBe(0);
  expect(pauseBeforeNextStepMs([{ ...full, isTaking: false }, full])).toBe(1_000);
});

test("an operation that made nothing due does not pause", () => {
  expect(pauseBeforeNextStepMs([])).toBe(0);
});
