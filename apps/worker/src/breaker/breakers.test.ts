import { openLog } from "@sluice/shared/runtime/log";
import { writeOpenBreaker } from "@sluice/store/configuration/target-health";
import { expect, onTestFinished } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { newLease, seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import { Breakers } from "./breakers.ts";

test("no probe is begun while the end of the one before it is not written", async ({ database: { db } }) => {
  const targetId = await seedTarget(db);
  await seedDeliveries(db, targetId, 1);
  await writeOpenBreaker(db, targetId, 0);
  // Holds a look back after what it found was read.
  let held: { found: () => void; goOn: Promise<void> } | undefined;
  const query = async (statement: { name: string; text: string }) => {
    if (statement.name === "claim-probe" && held !== undefined) throw new Error("Connection terminated unexpectedly");
    const result = await db.pool.query(statement);
    if (statement.name === "list-ailing" && held !== undefined) {
      held.found();
      await held.goOn;
    }
    return result;
  };
  const breakers = new Breakers({
    db: { ...db, pool: { query } } as unknown as typeof db,
    lease: newLease(),
    disableAfterMs: Infinity,
    refreshTargets: async () => undefined,
    wake: () => undefined,
    log: openLog("worker", "fatal", { write: () => undefined }),
  });
  onTestFinished(() => breakers.close());
  const breaker = breakers.forTarget(targetId);
  await breakers.refresh();
  expect(breaker.gate()).toBe("probe");

  const found = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  held = { found: found.resolve, goOn: goOn.promise };
  const look = breakers.refresh();
  await found.promise;
  // PostgreSQL is away for this one statement, so that nobody knows whether the probe was claimed.
  await expect(breaker.claimProbe()).rejects.toThrow("terminated");
  goOn.resolve();
  await look;
  expect(breaker.gate()).toBe("open");
  held = undefined;
  await breakers.refresh();
  expect(breaker.gate()).toBe("probe");
});
