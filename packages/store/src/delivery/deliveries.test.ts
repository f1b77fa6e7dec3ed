// Claims, leases and outcomes: one worker at a time has a delivery in hand, and a late failure of another changes
// nothing.

import { describe, expect } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { makeAttempt, newLease, seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import type { Database } from "../connection/database.ts";
import { getDelivery, listAttemptsOf } from "../log/records.ts";
import { retryDelivery } from "./by-hand.ts";
import { removeTarget } from "./deleted-targets.ts";
import { claimDue, handBack, recordAttempts, renewLeases } from "./deliveries.ts";

/** Makes a target with deliveries that are due. */
async function seed(db: Database, count: number) {
  const targetId = await seedTarget(db);
  const ids = (await seedDeliveries(db, targetId, count)).map((delivery) => delivery.id);
  return { targetId, ids, id: ids[0] ?? "" };
}

const retry = (db: Database, id: string) => db.orm.transaction((orm) => retryDelivery({ orm }, id));

describe("claimDue", () => {
  test("hands every delivery out once, however many claim at once", async ({ database: { db } }) => {
    const { targetId, ids } = await seed(db, 200);
    const claims = await Promise.all(Array.from({ length: 16 }, () => claimDue(db, targetId, 25, newLease())));
    const claimed = claims.flat().map((delivery) => delivery.id);
    expect(new Set(claimed).size).toBe(claimed.length);
    const rest = await claimDue(db, targetId, 200, newLease());
    expect([...claimed, ...rest.map((delivery) => delivery.id)].toSorted()).toEqual(ids.toSorted());
  });

  test("takes the longest due first, and no more than asked for", async ({ database: { db } }) => {
    const { targetId, ids } = await seed(db, 3);
    const [first = "", second = "", third = ""] = ids;
    const dueSeconds = [
      [third, 30],
      [first, 20],
      [second, 10],
    ];
    for (const [id, seconds] of dueSeconds) {
      await db.pool.query("UPDATE deliveries SET next_attempt_at = now() - $2 * interval '1 s' WHERE id = $1", [
        id,
        seconds,
      ]);
    }
    const claimed = await claimDue(db, targetId, 2, newLease());
    expect(claimed.map((delivery) => delivery.id).toSorted()).toEqual([third, first].toSorted());
  });

  test("stops when the bodies have the wanted size together, and takes a body of any size", async ({
    database: { db },
  }) => {
    const { targetId, ids } = await seed(db, 3);
    // Each body is 2 bytes.
    const claims = [await claimDue(db, targetId, 9, newLease(), 3), await claimDue(db, targetId, 9, newLease(), 1)];
    expect(claims.map((claimed) => claimed.length)).toEqual([2, 1]);
    expect(
      claims
        .flat()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(ids.toSorted());
  });

  test("says how far the deadline is, also when it is past", async ({ database: { db } }) => {
    const targetId = await seedTarget(db);
    await seedDeliveries(db, targetId, 1, { horizonMs: 60_000 });
    await seedDeliveries(db, targetId, 1, { horizonMs: -5_000 });
    const claimed = await claimDue(db, targetId, 2, newLease());
    const [past = 0, ahead = 0] = claimed.map((delivery) => delivery.deadlineInMs).toSorted((a, b) => a - b);
    expect(past).toBeLessThan(-4_999);
    expect(ahead).toBeGreaterThan(30_000);
    expect(ahead).toBeLessThanOrEqual(60_000);
  });

  test("takes over when a lease has run out, and not before", async ({ database: { db } }) => {
    const { targetId, id } = await seed(db, 1);
    expect(await claimDue(db, targetId, 1, newLease(60_000))).toHaveLength(1);
    expect(await claimDue(db, targetId, 1, newLease())).toHaveLength(0);
    // The same as a minute later.
    await db.pool.query("UPDATE deliveries SET next_attempt_at = next_attempt_at - interval '1 minute' WHERE id = $1", [
      id,
    ]);
    const claimed = await claimDue(db, targetId, 1, newLease());
    expect(claimed.map((delivery) => delivery.id)).toEqual([id]);
  });
});

describe("a lease", () => {
  test("is renewed and handed back by its owner alone", async ({ database: { db } }) => {
    const { targetId, ids, id } = await seed(db, 3);
    const inAnyOrder = ids.toReversed();
    const [owner, other] = [newLease(-1), newLease(-1_000)];
    await claimDue(db, targetId, 3, owner);
    await renewLeases(db, inAnyOrder, { ...owner, durationMs: 60_000 });
    await renewLeases(db, inAnyOrder, other);
    await handBack(db, inAnyOrder, other.workerId);
    expect(await claimDue(db, targetId, 3, other)).toHaveLength(0);
    expect(await getDelivery(db, id)).toMatchObject({ leasedBy: owner.workerId });
    await handBack(db, inAnyOrder, owner.workerId);
    expect(await claimDue(db, targetId, 3, other)).toHaveLength(3);
  });

  test("that was lost lets a late failure change nothing but the log", async ({ database: { db } }) => {
    const { targetId, id } = await seed(db, 1);
    const [slow, owner] = [newLease(-1), newLease()];
    await claimDue(db, targetId, 1, slow);
    await claimDue(db, targetId, 1, owner);
    const before = await getDelivery(db, id);
    await recordAttempts(db, [makeAttempt(id, { next: { status: "exhausted" } })], slow.workerId);
    expect(await getDelivery(db, id)).toEqual(before);
    expect(await listAttemptsOf(db, [id], 10)).toHaveLength(1);
  });

  test("that was lost lets a late success finish the delivery: the target has it", async ({ database: { db } }) => {
    const { targetId, id } = await seed(db, 1);
    const [slow, owner] = [newLease(-1), newLease()];
    await claimDue(db, targetId, 1, slow);
    await claimDue(db, targetId, 1, owner);
    await recordAttempts(db, [makeAttempt(id, { statusCode: 200, next: { status: "succeeded" } })], slow.workerId);
    expect(await getDelivery(db, id)).toMatchObject({ status: "succeeded", nextAttemptAt: null });
    // The failure of the other attempt does not reopen it.
    await recordAttempts(db, [makeAttempt(id, { number: 2 })], owner.workerId);
    expect(await getDelivery(db, id)).toMatchObject({ status: "succeeded", attemptCount: 1, lastStatusCode: 200 });
  });
});

describe("recordAttempts", () => {
  test("writes many attempts and their deliveries' new states in one statement", async ({ database: { db } }) => {
    const { targetId, ids } = await seed(db, 3);
    const lease = newLease();
    await claimDue(db, targetId, 3, lease);
    const [good = "", bad = "", over = ""] = ids;
    const attempts = [
      makeAttempt(good, { statusCode: 204, responseExcerpt: "thanks", next: { status: "succeeded" } }),
      makeAttempt(bad, { statusCode: null, error: "timeout", next: { status: "pending", retryInMs: 60_000 } }),
      makeAttempt(over, { next: { status: "exhausted" } }),
    ];
    await recordAttempts(db, attempts, lease.workerId);
    expect(await getDelivery(db, good)).toMatchObject({
      status: "succeeded",
      lastStatusCode: 204,
      nextAttemptAt: null,
    });
    expect(await getDelivery(db, bad)).toMatchObject({ status: "pending", lastError: "timeout", nextTrigger: "retry" });
    expect(await getDelivery(db, over)).toMatchObject({ status: "exhausted", attemptCount: 1, nextAttemptAt: null });
    for (const id of ids) expect(await getDelivery(db, id)).toMatchObject({ leasedBy: null });
    const retryAt = (await getDelivery(db, bad))?.nextAttemptAt?.getTime() ?? 0;
    expect(retryAt - Date.now()).toBeGreaterThan(50_000);
    const logged = await listAttemptsOf(db, ids, 10);
    expect(logged.map((attempt) => attempt.responseExcerpt)).toEqual(["thanks", null, null]);
    expect(logged.map((attempt) => attempt.durationMs)).toEqual([12.5, 12.5, 12.5]);
  });

  test("written again, after an answer that was lost, changes nothing", async ({ database: { db } }) => {
    const { targetId, id } = await seed(db, 1);
    const lease = newLease();
    await claimDue(db, targetId, 1, lease);
    const attempt = makeAttempt(id, { statusCode: 200, next: { status: "succeeded" } });
    await recordAttempts(db, [attempt], lease.workerId);
    // Meanwhile somebody retries it.
    await retry(db, id);
    const before = await getDelivery(db, id);
    await recordAttempts(db, [attempt], lease.workerId);
    expect(await getDelivery(db, id)).toEqual(before);
    expect(before).toMatchObject({ status: "pending", nextTrigger: "manual" });
    expect(await listAttemptsOf(db, [id], 10)).toHaveLength(1);
  });

  test("does not revive a delivery that was cancelled meanwhile", async ({ database: { db } }) => {
    const { targetId, id } = await seed(db, 1);
    const lease = newLease();
    await claimDue(db, targetId, 1, lease);
    expect(await removeTarget(db, targetId)).toBe(true);
    await recordAttempts(db, [makeAttempt(id)], lease.workerId);
    await recordAttempts(db, [makeAttempt(id, { number: 2, next: { status: "succeeded" } })], lease.workerId);
    expect(await getDelivery(db, id)).toMatchObject({ status: "cancelled", nextAttemptAt: null, attemptCount: 0 });
    expect(await listAttemptsOf(db, [id], 10)).toHaveLength(2);
  });
});

describe("retryDelivery", () => {
  test("revives a finished delivery with a new deadline", async ({ database: { db } }) => {
    const { targetId, id } = await seed(db, 1);
    const lease = newLease();
    await claimDue(db, targetId, 1, lease);
    await recordAttempts(db, [makeAttempt(id, { next: { status: "exhausted" } })], lease.workerId);
    await db.pool.query("UPDATE deliveries SET deadline_at = now() - interval '1 day' WHERE id = $1", [id]);
    expect(await retry(db, id)).toMatchObject({ kind: "due" });
    const [claimed] = await claimDue(db, targetId, 1, lease);
    expect(claimed).toMatchObject({ id, trigger: "manual", attemptCount: 1, failureCount: 0 });
    expect(claimed?.deadlineInMs).toBeGreaterThan(80_000_000);
    const again = makeAttempt(id, { number: 2, trigger: "manual", next: { status: "pending", retryInMs: 0 } });
    await recordAttempts(db, [again], lease.workerId);
    const [next] = await claimDue(db, targetId, 1, lease);
    expect(next).toMatchObject({ trigger: "retry", attemptCount: 2, failureCount: 1 });
  });

  test("leaves alone a delivery that is in hand, does not exist, or has no target", async ({ database: { db } }) => {
    const { targetId, id } = await seed(db, 1);
    await claimDue(db, targetId, 1, newLease());
    expect(await retry(db, id)).toEqual({ kind: "in_flight" });
    expect(await retry(db, targetId)).toEqual({ kind: "not_found" });
    await removeTarget(db, targetId);
    expect(await retry(db, id)).toEqual({ kind: "target_gone" });
  });
});
