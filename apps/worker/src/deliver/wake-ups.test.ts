import { expect, test } from "vitest";

import { wakeUpAt } from "./wake-ups.ts";

const now = 1_795_305_600_123;

test.for([
  [0, 250],
  [5_000, 250],
  [30_000, 1_000],
  [120_000, 10_000],
  [3_600_000, 60_000],
])(
  "a delivery that is due in %i ms is woken up with others of the same %i ms, and not before",
  ([inMs = 0, width = 0]) => {
    const at = wakeUpAt(now, inMs);
    expect(at % width).toBe(0);
    expect(at).toBeGreaterThanOrEqual(now + inMs);
    expect(at).toBeLessThan(now + inMs + width);
  },
);

test("a million waiting deliveries are a few hundred wake-ups", () => {
  const wakeUps = new Set<number>();
  for (let i = 0; i < 1_000_000; i++) wakeUps.add(wakeUpAt(now, (i / 1_000_000) * 3_600_000));
  expect(wakeUps.size).toBeLessThan(250);
});
