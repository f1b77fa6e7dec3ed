import { expect, test } from "vitest";

import { makeQueuedEvent } from "../../../../tests/support/seed.ts";
import { IntakeBudget } from "./intake-budget.ts";

/** A queue that hands over as many jobs as it may. */
function openQueue(limitBytes: number) {
  const state = { allowed: 1, highestBytes: 0, bytes: 0 };
  const budget = new IntakeBudget(32, (jobs) => (state.allowed = jobs), limitBytes);
  const ends: (() => void)[] = [];
  const fetch = (bodyBytes: number) => {
    const ended = Promise.withResolvers<void>();
    state.bytes += bodyBytes;
    state.highestBytes = Math.max(state.highestBytes, state.bytes);
    const handled = budget.during([makeQueuedEvent({ body: "x".repeat(bodyBytes) })], () => ended.promise);
    ends.push(() => ended.resolve());
    return handled.finally(() => {
      state.bytes -= bodyBytes;
    });
  };
  return { state, fetch, endNext: () => ends.shift()?.() };
}

test("many small jobs are in hand at once, after the first has shown its size", () => {
  const { state, fetch } = openQueue(1_000);
  expect(state.allowed).toBe(1);
  void fetch(10);
  expect(state.allowed).toBe(32);
});

test("jobs of the largest size are handled one by one, and small ones together again after them", async () => {
  const { state, fetch, endNext } = openQueue(1_000);
  for (let turn = 0; turn < 5; turn++) {
    const handled = fetch(5_000);
    expect(state.allowed).toBe(1);
    endNext();
    await handled;
    expect(state.allowed).toBe(1);
  }
  expect(state.highestBytes).toBe(5_000);
  for (let turn = 0; turn < 64; turn++) {
    const handled = fetch(10);
    endNext();
    await handled;
  }
  expect(state.allowed).toBe(32);
});

test("a job that fails counts no more", async () => {
  const { state, fetch } = openQueue(1_000);
  const budget = new IntakeBudget(32, (jobs) => (state.allowed = jobs), 1_000);
  await expect(budget.during([], () => Promise.reject(new Error("at fault")))).rejects.toThrow("at fault");
  expect(state.allowed).toBe(32);
  void fetch(1);
});
