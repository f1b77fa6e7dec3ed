// What the breaker decides, by the clock: open at once, closed by a probe alone, and patient in between.

import { expect, test } from "vitest";

import { afterFailure, afterProbe, openBreaker } from "./redis-gate.ts";

const MIDDLE = 0.5;
const closed = afterProbe(openBreaker(0), true, 0, MIDDLE);

test("is open until it is known that all is well", () => {
  expect(openBreaker(1_000)).toMatchObject({ isOpen: true, probeAtMs: 1_500 });
  expect(afterProbe(openBreaker(1_000), true, 1_010, MIDDLE)).toMatchObject({ isOpen: false, probeAtMs: 31_010 });
});

test("the first failure opens it, and those after it do not put off the probe", () => {
  const opened = afterFailure(closed, closed.period, 1_000, MIDDLE);
  expect(opened).toMatchObject({ isOpen: true, probeAtMs: 1_500 });
  expect(afterFailure(opened, closed.period, 1_400, MIDDLE)).toBe(opened);
});

test("a failure of an attempt that began before it closed does not open it again", () => {
  const opened = afterFailure(closed, closed.period, 1_000, MIDDLE);
  const again = afterProbe(opened, true, 1_500, MIDDLE);
  expect(afterFailure(again, closed.period, 1_600, MIDDLE).isOpen).toBe(false);
  expect(afterFailure(again, again.period, 1_600, MIDDLE).isOpen).toBe(true);
});

test("a check while it is closed ends no period", () => {
  const checked = afterProbe(closed, true, 30_000, MIDDLE);
  expect(checked).toEqual({ ...closed, probeAtMs: 60_000 });
  expect(afterFailure(checked, closed.period, 30_100, MIDDLE).isOpen).toBe(true);
});

test("probes come less often the longer it takes, but every few seconds for ever", () => {
  let breaker = afterFailure(closed, closed.period, 0, MIDDLE);
  const delays: number[] = [];
  for (let probe = 0; probe < 1_100; probe++) {
    const nowMs = breaker.probeAtMs;
    breaker = afterProbe(breaker, false, nowMs, MIDDLE);
    delays.push(breaker.probeAtMs - nowMs);
  }
  expect(delays.slice(0, 5)).toEqual([1_000, 2_000, 4_000, 4_000, 4_000]);
  expect(delays.at(-1)).toBe(4_000);
  expect(afterProbe(breaker, true, breaker.probeAtMs, MIDDLE).isOpen).toBe(false);
});

test("a probe that fails opens it", () => {
  expect(afterProbe(closed, false, 30_000, MIDDLE)).toMatchObject({ isOpen: true, probeAtMs: 30_500 });
});

test("processes that saw the same failure probe at different times", () => {
  const opened = [0, 1].map((random) => afterFailure(closed, closed.period, 0, random));
  expect(opened.map(({ probeAtMs }) => probeAtMs)).toEqual([375, 625]);
});
