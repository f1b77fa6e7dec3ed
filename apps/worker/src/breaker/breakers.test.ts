import { openLog } from "@sluice/shared/runtime/log";
import { TARGET_DEFAULTS } from "@sluice/store/configuration/targets";
import { writeOpenBreaker } from "@sluice/store/delivery/target-health";
import { expect, onTestFinished } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { newLease, seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import type { AttemptResult } from "@sluice/attempt/attempt-result";
import { Breakers } from "./breakers.ts";

const success: AttemptResult = {
  startedAtMs: 0,
  durationMs: 1,
  statusCode: 200,
  error: null,
  responseExcerpt: null,
  retryAfterMs: undefined,
  seen: { address: null, connectMs: null, firstByteMs: null, responseHeaders: null },
};

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

test("a look writes what is new and then asks once, however many targets are well", async ({ database: { db } }) => {
  const targetIds = await Promise.all(Array.from({ length: 30 }, () => seedTarget(db)));
  const statements: string[] = [];
  const query = (statement: { name: string; text: string }) => {
    statements.push(statement.name);
    return db.pool.query(statement);
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
  const look = async () => {
    statements.length = 0;
    await breakers.refresh();
    return [...statements];
  };
  for (const id of targetIds) {
    const target = { ...TARGET_DEFAULTS, id, name: "", uri: "http://x/", subscribedEvents: ["*"], hmacKeys: [] };
    breakers.forTarget(id).report(target, success, undefined);
  }
  expect(await look()).toEqual(["write-tallies", "list-ailing"]);
  expect(await look()).toEqual(["list-ailing"]);
  // The breaker that another worker opens is seen all the same, and that it closes.
  const [openId = "", ...others] = targetIds;
  await writeOpenBreaker(db, openId, 60_000);
  await look();
  expect([breakers.isOpen(openId), others.some((id) => breakers.isOpen(id))]).toEqual([true, false]);
  await db.pool.query("UPDATE target_health SET openings = 0, open_until = NULL WHERE target_id = $1", [openId]);
  await look();
  expect(breakers.isOpen(openId)).toBe(false);
});
