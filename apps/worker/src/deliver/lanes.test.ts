import { newId } from "@sluice/shared/domain/ids";
import { openLog } from "@sluice/shared/runtime/log";
import { TARGET_DEFAULTS } from "@sluice/store/configuration/targets";
import { expect, onTestFinished, test } from "vitest";

import { until } from "../../../../tests/support/wait.ts";
import { Lanes, type LanesDependencies, wakeUpAt } from "./lanes.ts";

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

test("while PostgreSQL is away the log has one line a minute, however many targets wait for it", async () => {
  const lines: string[] = [];
  let claims = 0;
  const query = async () => {
    claims += 1;
    throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  };
  const lanes = new Lanes({
    db: { pool: { query } },
    findTarget: (id: string) => ({ ...TARGET_DEFAULTS, id }),
    leases: { lease: { workerId: newId(), durationMs: 45_000 } },
    breakers: { of: () => ({ gate: () => "closed", limit: (most: number) => most }) },
    log: openLog("worker", "info", { write: (line) => lines.push(line) }),
  } as unknown as LanesDependencies);
  onTestFinished(() => lanes.stop());
  for (let target = 0; target < 20; target++) lanes.forTarget(newId()).wake();
  await until(() => claims, { accept: (count) => count >= 40 });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("nothing claimed");
});

/** Lanes whose target was never heard of, with so much in hand that one has no room. */
function openFullLane(isBusy: () => boolean) {
  const lanes = new Lanes({
    findTarget: (id: string) => ({ ...TARGET_DEFAULTS, id, state: "enabled" }),
    breakers: { of: () => ({ gate: () => "closed", limit: (most: number) => most }) },
    thread: {
      get isBusy() {
        return isBusy();
      },
    },
    log: openLog("worker", "silent"),
  } as unknown as LanesDependencies);
  const id = newId();
  while (lanes.forTarget(id).reserve());
  return { lanes, id };
}

test("intake waits for no lane while the thread has time", async () => {
  const { lanes, id } = openFullLane(() => false);
  await lanes.catchUp([id], AbortSignal.abort());
  expect(lanes.forTarget(id).catchUp()).toBeDefined();
});

test("intake waits for a lane that does not catch up a bounded number of times, and no longer than the thread is busy", async () => {
  let looks = 0;
  const always = openFullLane(() => ++looks > 0);
  await always.lanes.catchUp([always.id, always.id], new AbortController().signal);
  expect(looks).toBe(10);
  let busy = 3;
  const briefly = openFullLane(() => busy-- > 0);
  await briefly.lanes.catchUp([briefly.id], new AbortController().signal);
  expect(busy).toBe(-1);
});

test("intake waits no more when the worker stops, and when the lane has caught up", async () => {
  const { lanes, id } = openFullLane(() => true);
  const stopping = new AbortController();
  let isOver = false;
  const waiting = lanes.catchUp([id], stopping.signal).then(() => (isOver = true));
  expect(isOver).toBe(false);
  stopping.abort();
  await waiting;
  const caughtUp = lanes.catchUp([id], new AbortController().signal);
  for (let count = 0; count < TARGET_DEFAULTS.maxInFlight; count++) lanes.forTarget(id).cancelReservation();
  await caughtUp;
  expect(lanes.forTarget(id).catchUp()).toBeUndefined();
});
