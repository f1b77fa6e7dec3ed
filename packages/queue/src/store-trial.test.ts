// A store is probed when somebody asks and nothing is known, one probe at a time, and as large as the job that it
// refused.

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { StoreTrial } from "./store-trial.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** @param room the size of the largest job that the store takes; it may change. */
function openTrial(store: { room: number }) {
  const probes: number[] = [];
  const trial = new StoreTrial(
    async (bytes) => {
      probes.push(bytes);
      if (bytes > store.room) throw Object.assign(new Error("No space left on device"), { code: "53100" });
    },
    100,
    5_000,
  );
  return { trial, probes };
}

test("many questions cost one probe a second, and none while real jobs are taken", async () => {
  const { trial, probes } = openTrial({ room: 1_000 });
  const answers = await Promise.all([trial.findProblem(), trial.findProblem(), trial.findProblem()]);
  expect(answers).toEqual([undefined, undefined, undefined]);
  expect(await trial.findProblem()).toBe(undefined);
  expect(probes).toEqual([100]);
  vi.advanceTimersByTime(1_000);
  trial.recordTaken();
  expect(await trial.findProblem()).toBe(undefined);
  expect(probes).toEqual([100]);
  vi.advanceTimersByTime(1_000);
  await trial.findProblem();
  expect(probes).toEqual([100, 100]);
});

test("a store that refused a large job is asked for as much, whatever small jobs it takes", async () => {
  const store = { room: 1_000 };
  const { trial, probes } = openTrial(store);
  trial.recordTaken();
  trial.recordRefused(30_000);
  expect(await trial.findProblem()).toBe("SQLSTATE 53100");
  trial.recordTaken();
  expect(await trial.findProblem()).toBe("SQLSTATE 53100");
  expect(probes).toEqual([30_000]);
  store.room = 50_000;
  vi.advanceTimersByTime(1_000);
  expect(await trial.findProblem()).toBe(undefined);
  vi.advanceTimersByTime(1_000);
  await trial.findProblem();
  expect(probes).toEqual([30_000, 30_000, 100]);
});
