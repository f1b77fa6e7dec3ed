import { expect, onTestFinished, test } from "vitest";

import { SimulatorClock } from "./clock.ts";

const openStandingClock = () => new SimulatorClock({ startMs: 0, isStanding: true });

test("a clock that stands runs what becomes due on the way, in the order of time, each at its own time", async () => {
  const clock = openStandingClock();
  const ran: [string, number][] = [];
  const note = (name: string) => () => void ran.push([name, clock.nowMs()]);
  clock.schedule(300, note("third"));
  clock.schedule(100, note("first"));
  clock.schedule(100, note("second"));
  clock.schedule(501, note("later"));
  await clock.advance(500);
  expect(ran).toEqual([
    ["first", 100],
    ["second", 100],
    ["third", 300],
  ]);
  expect(clock.nowMs()).toBe(500);
});

test("time does not pass while something runs, so that what it schedules on the way also runs", async () => {
  const clock = openStandingClock();
  const ran: number[] = [];
  const again = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    ran.push(clock.nowMs());
    clock.schedule(clock.nowMs() + 10, again);
  };
  clock.schedule(10, again);
  await clock.advance(35);
  expect(ran).toEqual([10, 20, 30]);
});

test("what is due now runs at once, and an earlier time only lets everything wait for longer", async () => {
  const clock = openStandingClock();
  const ran: string[] = [];
  clock.schedule(0, () => void ran.push("now"));
  expect(ran).toEqual(["now"]);
  await clock.advance(100);
  clock.schedule(150, () => void ran.push("later"));
  await clock.set(50);
  expect(clock.nowMs()).toBe(50);
  await clock.advance(99);
  expect(ran).toEqual(["now"]);
  await clock.advance(1);
  expect(ran).toEqual(["now", "later"]);
});

test("a clock that runs follows real time, and can be moved forward", async () => {
  const clock = new SimulatorClock({ startMs: 0 });
  onTestFinished(() => clock.stop());
  const { promise: isDue, resolve } = Promise.withResolvers<void>();
  clock.schedule(clock.nowMs() + 5, resolve);
  await isDue;
  let hasRun = false;
  clock.schedule(clock.nowMs() + 3_600_000, () => {
    hasRun = true;
  });
  await clock.advance(3_600_000);
  expect(hasRun).toBe(true);
});

test("a clock that was stopped runs nothing more", async () => {
  const clock = openStandingClock();
  let hasRun = false;
  const run = () => {
    hasRun = true;
  };
  clock.schedule(10, run);
  await clock.stop();
  clock.schedule(0, run);
  await clock.advance(20);
  expect(hasRun).toBe(false);
});

test("a time that is no number is refused", async () => {
  const clock = openStandingClock();
  await expect(clock.advance(-1)).rejects.toThrow("advance: -1");
  await expect(clock.set(Number.NaN)).rejects.toThrow("set: NaN");
});
