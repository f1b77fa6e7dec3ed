import { newId } from "@sluice/shared/domain/ids";
import { openLog } from "@sluice/shared/runtime/log";
import type { Database } from "@sluice/store/connection/database";
import { TARGET_DEFAULTS } from "@sluice/store/configuration/targets";
import { expect, onTestFinished, test } from "vitest";

import { until } from "../../../../tests/support/wait.ts";
import { Lanes, type LanesDependencies } from "./lanes.ts";
import { Leases } from "./leases.ts";
import { RequestSlots } from "./request-slots.ts";
import type { Reservation } from "./reservation.ts";

/** The shares of a worker that is alone. */
const WHOLE: LanesDependencies["shares"] = {
  maxInFlight: ({ maxInFlight }) => maxInFlight,
  requests: ({ rateLimitRequests }) => rateLimitRequests ?? undefined,
  isConfirmed: () => true,
  changedAtMs: 0,
};

test("while PostgreSQL is away the log has one line a minute, however many targets wait for it", async () => {
  const lines: string[] = [];
  let claims = 0;
  const query = async () => {
    claims += 1;
    throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  };
  const log = openLog("worker", "info", { write: (line) => lines.push(line) });
  const leases = new Leases({ pool: { query } } as unknown as Database, newId(), log);
  onTestFinished(() => leases.close());
  const lanes = new Lanes({
    findTarget: (id: string) => ({ ...TARGET_DEFAULTS, id }),
    leases,
    breakers: { forTarget: () => ({ gate: () => "closed", limit: (most: number) => most }) },
    shares: WHOLE,
    slots: new RequestSlots(100),
    log,
  } as unknown as LanesDependencies);
  onTestFinished(() => lanes.stop());
  for (let target = 0; target < 20; target++) lanes.forTarget(newId()).wake();
  await until(() => claims, { accept: (count) => count >= 40 });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("nothing claimed");
});

/** Lanes with one target that has not answered yet, and whose lane is full. */
function openFullLane(isBusy: () => boolean) {
  const lanes = new Lanes({
    findTarget: (id: string) => ({ ...TARGET_DEFAULTS, id, state: "enabled" }),
    breakers: { forTarget: () => ({ gate: () => "closed", limit: (most: number) => most }) },
    thread: { measureBusy: isBusy },
    shares: WHOLE,
    log: openLog("worker", "silent"),
  } as unknown as LanesDependencies);
  const id = newId();
  const reservations: Reservation[] = [];
  for (;;) {
    const reservation = lanes.forTarget(id).reserve();
    if (reservation === undefined) return { lanes, id, reservations };
    reservations.push(reservation);
  }
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

test("intake stops waiting when the worker stops, and when the lane has caught up", async () => {
  const { lanes, id, reservations } = openFullLane(() => true);
  const stopping = new AbortController();
  let isOver = false;
  const waiting = lanes.catchUp([id], stopping.signal).then(() => (isOver = true));
  expect(isOver).toBe(false);
  stopping.abort();
  await waiting;
  const caughtUp = lanes.catchUp([id], new AbortController().signal);
  for (const reservation of reservations.slice(0, TARGET_DEFAULTS.maxInFlight)) reservation.cancel();
  await caughtUp;
  expect(lanes.forTarget(id).catchUp()).toBeUndefined();
});

test("the lane and the breaker of a deleted target are dropped, once nothing of it is in hand", () => {
  const deleted = new Set<string>();
  const forgotten: string[] = [];
  const lanes = new Lanes({
    findTarget: (id: string) => (deleted.has(id) ? undefined : { ...TARGET_DEFAULTS, id, state: "enabled" }),
    breakers: {
      forTarget: () => ({ gate: () => "closed", limit: (most: number) => most }),
      forget: (id: string) => forgotten.push(id),
    },
    shares: WHOLE,
    log: openLog("worker", "silent"),
  } as unknown as LanesDependencies);
  const [kept, idle, busy] = [newId(), newId(), newId()];
  const [keptLane, idleLane, busyLane] = [kept, idle, busy].map((id) => lanes.forTarget(id));
  const reservation = busyLane?.reserve();
  for (const id of [idle, busy]) deleted.add(id);
  lanes.dropDeleted();
  expect(forgotten).toEqual([idle]);
  expect(lanes.forTarget(kept)).toBe(keptLane);
  expect(lanes.forTarget(busy)).toBe(busyLane);
  reservation?.cancel();
  lanes.dropDeleted();
  expect(forgotten).toEqual([idle, busy]);
  expect(lanes.forTarget(idle)).not.toBe(idleLane);
});

test("intake does not wait for many lanes at once", async () => {
  let looks = 0;
  const { lanes, id } = openFullLane(() => ++looks > 0);
  const many = [id, ...Array.from({ length: 1_000 }, () => newId())];
  await lanes.catchUp(many, new AbortController().signal);
  expect(looks).toBe(0);
});
