import { expect, test } from "vitest";

import { until } from "../../../../tests/support/wait.ts";
import { FreshRuns } from "./fresh-runs.ts";

/** Runs that end when the test settles their promise. */
function startHeld() {
  const runs: PromiseWithResolvers<void>[] = [];
  const fresh = new FreshRuns(() => {
    const run = Promise.withResolvers<void>();
    runs.push(run);
    return run.promise;
  });
  return { fresh, runs };
}

test("a caller gets a run that starts after its call, and all callers during another run share one", async () => {
  const { fresh, runs } = startHeld();
  let endedEarly = 0;
  const early = [fresh.next(), fresh.next()].map((asked) => asked.then(() => (endedEarly += 1)));
  await until(() => runs.length === 1);
  let endedLate = 0;
  const late = [fresh.next(), fresh.next(), fresh.next()].map((asked) => asked.then(() => (endedLate += 1)));
  runs[0]?.resolve();
  await Promise.all(early);
  await until(() => runs.length === 2);
  expect([endedEarly, endedLate]).toEqual([2, 0]);
  runs[1]?.resolve();
  await Promise.all(late);
  await fresh.ended();
  expect(runs).toHaveLength(2);
});

test("a failed run rejects only the calls that asked for it, and the next run starts all the same", async () => {
  const { fresh, runs } = startHeld();
  const failing = fresh.next();
  await until(() => runs.length === 1);
  const next = fresh.next();
  const ended = fresh.ended();
  runs[0]?.reject(new Error("away"));
  await expect(failing).rejects.toThrow("away");
  await until(() => runs.length === 2);
  runs[1]?.resolve();
  expect(await Promise.all([next, ended])).toEqual([undefined, undefined]);
});
