// One worker searches for all, in a time that does not grow with the number of targets.

import { describe, expect } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { newLease, seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import { claimDue } from "./deliveries.ts";
import { listTargetsWithDue, shareDue, takeSweepTurn } from "./sweep.ts";
import { writeOpenBreaker } from "./target-health.ts";

describe("listTargetsWithDue", () => {
  test("names the enabled targets that have something due and whose breaker is closed", async ({
    database: { db },
  }) => {
    const [due, held, paused, broken, without] = await Promise.all([
      seedTarget(db),
      seedTarget(db),
      seedTarget(db, { state: "paused" }),
      seedTarget(db),
      seedTarget(db),
    ]);
    for (const id of [due, held, paused, broken]) await seedDeliveries(db, id, 2);
    await claimDue(db, held, 2, newLease());
    await writeOpenBreaker(db, broken, 60_000);
    const listed = await listTargetsWithDue(db);
    expect(listed).toContain(due);
    for (const id of [held, paused, broken, without]) expect(listed).not.toContain(id);
  });

  test("finds every target, also those behind one that has more pending than are read at once", async ({
    database: { db },
  }) => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => seedTarget(db)));
    for (const [index, id] of ids.entries()) await seedDeliveries(db, id, index % 5 === 0 ? 1_200 : 1);
    expect(await listTargetsWithDue(db)).toEqual(expect.arrayContaining(ids));
  });
});

describe("the turn of a sweep", () => {
  test("is of one worker, however many ask at once, and of another one when that worker is gone", async ({
    database: { db },
  }) => {
    await db.pool.query("UPDATE sweep SET begun_at = 'epoch'");
    const turns = await Promise.all(Array.from({ length: 8 }, () => takeSweepTurn(db, 0n, 60_000)));
    expect(turns.filter(({ isOwn }) => isOwn)).toHaveLength(1);
    expect((await takeSweepTurn(db, 0n, 60_000)).isOwn).toBe(false);
    // The worker died in its search, which keeps nobody from the next one.
    await db.pool.query("UPDATE sweep SET begun_at = begun_at - interval '61 seconds'");
    expect((await takeSweepTurn(db, 0n, 60_000)).isOwn).toBe(true);
  });

  test("gives every worker each result once", async ({ database: { db } }) => {
    const targetId = await seedTarget(db);
    const { number: before } = await takeSweepTurn(db, 0n, 60_000);
    const number = (await shareDue(db, [targetId])) ?? 0n;
    expect(number).toBeGreaterThan(before);
    expect(await takeSweepTurn(db, before, 60_000)).toEqual({ isOwn: false, number, targetIds: [targetId] });
    expect(await takeSweepTurn(db, number, 60_000)).toEqual({ isOwn: false, number, targetIds: [] });
    // Nothing is due any more, and nothing is still due.
    expect(await shareDue(db, [])).toBe(number + 1n);
    expect(await shareDue(db, [])).toBeUndefined();
  });
});
