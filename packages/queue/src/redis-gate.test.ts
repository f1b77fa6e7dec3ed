// The gate distrusts Redis after one failure, trusts it after one passed probe, and probes patiently in between.

import { expect, test } from "vitest";

import { applyFailedAttempt, applyFailedProbe, applyPassedProbe, distrustAtStart } from "./redis-gate.ts";

const MIDDLE = 0.5;
const trusted = applyPassedProbe(distrustAtStart(0), 0);

test("Redis is distrusted until a probe has passed", () => {
  expect(distrustAtStart(1_000)).toMatchObject({ kind: "distrusted", probeAtMs: 1_500 });
  expect(applyPassedProbe(distrustAtStart(1_000), 1_010)).toMatchObject({ kind: "trusted", probeAtMs: 31_010 });
});

test("the first failed attempt makes Redis distrusted, and later ones do not put off the probe", () => {
  const distrusted = applyFailedAttempt(trusted, trusted.period, 1_000, MIDDLE);
  expect(distrusted).toMatchObject({ kind: "distrusted", probeAtMs: 1_500 });
  expect(applyFailedAttempt(distrusted, trusted.period, 1_400, MIDDLE)).toBe(distrusted);
});

test("a failed attempt that began before Redis became trusted does not make Redis distrusted again", () => {
  const distrusted = applyFailedAttempt(trusted, trusted.period, 1_000, MIDDLE);
  const again = applyPassedProbe(distrusted, 1_500);
  expect(applyFailedAttempt(again, trusted.period, 1_600, MIDDLE).kind).toBe("trusted");
  expect(applyFailedAttempt(again, again.period, 1_600, MIDDLE).kind).toBe("distrusted");
});

test("an attempt cannot have begun in a period that is still to come", () => {
  expect(() => applyFailedAttempt(trusted, trusted.period + 1, 1_000, MIDDLE)).toThrow("period 2");
});

test("a passed probe of a trusted Redis ends no period", () => {
  const checked = applyPassedProbe(trusted, 30_000);
  expect(checked).toEqual({ ...trusted, probeAtMs: 60_000 });
  expect(applyFailedAttempt(checked, trusted.period, 30_100, MIDDLE).kind).toBe("distrusted");
});

test("probes come less often the longer Redis is distrusted, but every few seconds for ever", () => {
  let gate = applyFailedAttempt(trusted, trusted.period, 0, MIDDLE);
  const pausesMs: number[] = [];
  for (let probe = 0; probe < 1_100; probe++) {
    const nowMs = gate.probeAtMs;
    gate = applyFailedProbe(gate, nowMs, MIDDLE);
    pausesMs.push(gate.probeAtMs - nowMs);
  }
  expect(pausesMs.slice(0, 5)).toEqual([1_000, 2_000, 4_000, 4_000, 4_000]);
  expect(pausesMs.at(-1)).toBe(4_000);
  expect(applyPassedProbe(gate, gate.probeAtMs).kind).toBe("trusted");
});

test("a failed probe makes Redis distrusted", () => {
  expect(applyFailedProbe(trusted, 30_000, MIDDLE)).toMatchObject({ kind: "distrusted", probeAtMs: 30_500 });
});

test("processes that saw the same failure probe at different times", () => {
  const gates = [0, 1].map((random) => applyFailedAttempt(trusted, trusted.period, 0, random));
  expect(gates.map(({ probeAtMs }) => probeAtMs)).toEqual([375, 625]);
});
