import { newId } from "@sluice/shared/domain/ids";
import { openLog } from "@sluice/shared/runtime/log";
import type { Database } from "@sluice/store/connection/database";
import { readRevision } from "@sluice/store/connection/configuration-revision";
import { storeEvents } from "@sluice/store/delivery/store-events";
import { expect, onTestFinished, test, vi } from "vitest";

import { test as dbTest } from "../../../../tests/support/database.ts";
import { makeDelivery, makeEvent, newLease, seedTarget } from "../../../../tests/support/seed.ts";

import { Leases } from "./leases.ts";

/** Leases over a store that takes every statement, on a clock that the test moves. */
function openLeases() {
  vi.useFakeTimers();
  const statements: { name: string; ids: string[] }[] = [];
  const state = { isAway: false };
  const query = async ({ name, values: [ids] }: { name: string; values: [string[]] }) => {
    if (state.isAway) throw Object.assign(new Error("away"), { code: "ECONNREFUSED" });
    statements.push({ name, ids });
  };
  const leases = new Leases({ pool: { query } } as unknown as Database, newId(), openLog("worker", "silent"));
  onTestFinished(() => {
    leases.close();
    vi.useRealTimers();
  });
  /** How many leases were renewed since the last call. */
  const countRenewed = () => statements.splice(0).reduce((sum, { ids }) => sum + ids.length, 0);
  return { leases, statements, state, countRenewed };
}

test("a lease is renewed every 15 seconds, and one that is not held for so long costs no statement", async () => {
  const { leases, countRenewed } = openLeases();
  leases.hold("long");
  for (let brief = 0; brief < 5; brief++) {
    leases.hold("brief");
    await vi.advanceTimersByTimeAsync(10_000);
    leases.release("brief");
  }
  // After 15, 30 and 45 seconds.
  expect(countRenewed()).toBe(3);
});

test("a renewal that fails is tried again long before the lease runs out", async () => {
  const { leases, state, countRenewed } = openLeases();
  leases.hold("a");
  state.isAway = true;
  await vi.advanceTimersByTimeAsync(16_000);
  expect(countRenewed()).toBe(0);
  state.isAway = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(countRenewed()).toBe(1);
});

test("many leases are renewed in statements of bounded size", async () => {
  const { leases, statements } = openLeases();
  for (let index = 0; index < 12_000; index++) leases.hold(String(index));
  await vi.advanceTimersByTimeAsync(15_000);
  expect(statements.map(({ ids }) => ids.length)).toEqual([5_000, 5_000, 2_000]);
});

test("deliveries that are handed back at the same time share a statement", async () => {
  const { leases, statements } = openLeases();
  await Promise.all([leases.handBack(["a", "b"]), leases.handBack(["c"]), leases.handBack(["d"])]);
  expect(statements).toEqual([{ name: "hand-back", ids: ["a", "b", "c", "d"] }]);
});

dbTest(
  "what a claim leased whose answer was lost is due again at the next claim, and nothing else",
  async ({ database }) => {
    const { db } = database;
    const targetId = await seedTarget(db);
    let losesAnswer = false;
    const query = async (statement: { name: string; text: string; values: unknown[] }) => {
      const answer = await db.pool.query(statement);
      if (losesAnswer && statement.name === "claim-due") throw new Error("Connection terminated unexpectedly");
      return answer;
    };
    const leases = new Leases({ pool: { query } } as unknown as Database, newId(), openLog("worker", "silent"));
    onTestFinished(() => leases.close());
    const store = async () => {
      const event = makeEvent();
      const delivery = makeDelivery(event, targetId, { leased: false });
      await storeEvents(db, await readRevision(db, "targets"), [event], [delivery], newLease());
      return delivery.id;
    };
    const held = await store();
    expect(await leases.claimDue(targetId, 10, 1_000)).toMatchObject([{ id: held }]);
    leases.hold(held);
    const lost = [await store(), await store()];
    losesAnswer = true;
    await expect(leases.claimDue(targetId, 10, 1_000)).rejects.toThrow("terminated");
    losesAnswer = false;
    const claimed = await leases.claimDue(targetId, 10, 1_000);
    expect(claimed.map(({ id }) => id).toSorted()).toEqual(lost.toSorted());
  },
);
