import { newId } from "@sluice/shared/domain/ids";
import { openLog } from "@sluice/shared/runtime/log";
import type { Database } from "@sluice/store/connection/database";
import { claimDue } from "@sluice/store/delivery/deliveries";
import { getDelivery, listAttemptsOf } from "@sluice/store/log/records";
import { beforeEach, describe, expect, onTestFinished, vi } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { makeAttempt, newLease, seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import { Recorder } from "./recorder.ts";

const silent = openLog("worker", "silent");

function openRecorder(db: Database) {
  const recorder = new Recorder(db, newId(), new AbortController().signal, silent);
  const ids: string[] = [];
  return {
    record: (isAwaited = false) => {
      const attempt = makeAttempt(newId());
      ids.push(attempt.id);
      return recorder.record(attempt, isAwaited);
    },
    /** How many attempts each statement wrote. */
    readSizes: async () => {
      const { rows } = await db.pool.query<{ size: number }>(
        "SELECT cardinality(attempt_ids) AS size FROM changes WHERE attempt_ids && $1::uuid[] ORDER BY xid",
        [ids],
      );
      return rows.map(({ size }) => size);
    },
  };
}

describe("attempts that end soon after a write", () => {
  // Time stands still.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    onTestFinished(() => void vi.useRealTimers());
  });

  test("are written together, after a while", async ({ database: { db } }) => {
    const { record, readSizes } = openRecorder(db);
    await record();
    const later = [record(), record()];
    expect(await readSizes()).toEqual([1]);
    await vi.advanceTimersByTimeAsync(50);
    await Promise.all(later);
    expect(await readSizes()).toEqual([1, 2]);
  });

  test("are written at once when one of them is waited for", async ({ database: { db } }) => {
    const { record, readSizes } = openRecorder(db);
    await record();
    await Promise.all([record(), record(true)]);
    expect(await readSizes()).toEqual([1, 2]);
  });

  test("are written at once when they are many", async ({ database: { db } }) => {
    const { record, readSizes } = openRecorder(db);
    await record();
    await Promise.all(Array.from({ length: 100 }, () => record()));
    expect(await readSizes()).toEqual([1, 100]);
  });
});

/** Deliveries that this worker has in hand. */
async function holdDeliveries(db: Database, count: number) {
  const lease = newLease();
  const targetId = await seedTarget(db);
  await seedDeliveries(db, targetId, count);
  const claimed = await claimDue(db, targetId, count, lease);
  let unrecorded = 0;
  const recorder = new Recorder(db, lease.workerId, new AbortController().signal, silent, () => (unrecorded += 1));
  return { ids: claimed.map(({ id }) => id), recorder, countUnrecorded: () => unrecorded };
}

const readDelivery = (db: Database, id: string | undefined) => getDelivery(db, id ?? "");

describe("an attempt that PostgreSQL does not take", () => {
  test("is recorded without the part that is at fault, and the others of its batch as they are", async ({
    database: { db },
  }) => {
    const { ids, recorder } = await holdDeliveries(db, 7);
    const bad = ids[3];
    const attempts = ids.map((id) => makeAttempt(id, id === bad ? { responseExcerpt: "a\u0000b" } : {}));
    await Promise.all(attempts.map((attempt) => recorder.record(attempt, false)));
    const logged = await listAttemptsOf(db, ids, 10);
    expect(logged).toHaveLength(7);
    for (const { deliveryId, error } of logged) {
      if (deliveryId === bad) expect(error).toMatch(/^not recorded as it was: /);
      else expect(error).toBeNull();
    }
    expect(await readDelivery(db, bad)).toMatchObject({ status: "pending", attemptCount: 1, leasedBy: null });
  });

  test.for([
    [{ status: "pending", retryInMs: 3_600_000 }, "pending"],
    [{ status: "exhausted" }, "exhausted"],
    [{ status: "succeeded" }, "succeeded"],
  ] as const)("moves its delivery on all the same: %o", async ([next, status], { database: { db } }) => {
    const { ids, recorder, countUnrecorded } = await holdDeliveries(db, 1);
    // The number is above what the column holds, whatever else is left out.
    await recorder.record(makeAttempt(ids[0] ?? "", { number: 2 ** 31, next }), false);
    expect(await listAttemptsOf(db, ids, 10)).toEqual([]);
    const delivery = await readDelivery(db, ids[0]);
    expect(delivery).toMatchObject({ status, attemptCount: 1, leasedBy: null });
    expect(delivery?.lastError).toMatch(/^not recorded as it was: /);
    if (status === "pending") expect(Number(delivery?.nextAttemptAt)).toBeGreaterThan(Date.now() + 3_000_000);
    expect(countUnrecorded()).toBe(1);
  });
});
