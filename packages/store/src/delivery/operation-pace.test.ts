import { expect, test } from "vitest";

import { maxDue, pauseBeforeNextStep } from "./operation-pace.ts";

const target = { isTaking: true, maxInFlight: 8, due: 0 };
const full = { ...target, due: maxDue(8) + 1 };

test("an operation waits while a target has more than it gets through in the pause", () => {
  expect(pauseBeforeNextStep([target, full])).toBe(1_000);
  expect(pauseBeforeNextStep([{ ...full, maxInFlight: 9 }])).toBe(0);
  expect(pauseBeforeNextStep([{ ...target, due: maxDue(8) }])).toBe(0);
});

test("a target that takes nothing holds nobody up", () => {
  expect(pauseBeforeNextStep([{ ...full, isTaking: false }, target])).toBe(0);
  expect(pauseBeforeNextStep([{ ...full, isTaking: false }, full])).toBe(1_000);
});

test("with nothing made due there is nothing to wait for", () => {
  expect(pauseBeforeNextStep([])).toBe(0);
});
