import { expect, vi } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { openLog } from "@sluice/shared/runtime/log";
import { ConfigurationCopy } from "./configuration-copy.ts";

test("a change is seen by the first who suspects it, and a thousand who suspect one in vain cost a few questions", async ({
  database,
  onTestFinished,
}) => {
  const { db } = database;
  // The polls, which would see the changes too, and the limit of a wait, which a busy machine could be over.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  let questions = 0;
  db.pool.on("acquire", () => (questions += 1));
  let value = 0;
  const refreshed = await ConfigurationCopy.open(db, async () => (value += 1), openLog("gateway", "silent"));
  onTestFinished(() => refreshed.close());

  for (let round = 0; round < 3; round++) {
    const known = refreshed.current;
    await db.pool.query("UPDATE configuration SET revision = revision + 1");
    const newer = await refreshed.newerThan(known);
    expect(newer?.revision).toBe(known.revision + 1);
    expect(newer).toBe(refreshed.current);
  }

  const known = refreshed.current;
  questions = 0;
  const inVain = await Promise.all(Array.from({ length: 1_000 }, () => refreshed.newerThan(known)));
  expect(inVain.every((newer) => newer === undefined)).toBe(true);
  expect(questions).toBeLessThan(10);
});

test("while PostgreSQL hangs, who suspects a change waits a second, and however many do leave one load to come", async ({
  database,
  onTestFinished,
}) => {
  const hang = Promise.withResolvers<void>();
  let loads = 0;
  const load = async () => {
    loads += 1;
    if (loads > 1) await hang.promise;
    return loads;
  };
  const refreshed = await ConfigurationCopy.open(database.db, load, openLog("gateway", "silent"));
  onTestFinished(() => refreshed.close());
  const known = refreshed.current;
  await database.db.pool.query("UPDATE configuration SET revision = revision + 1");
  // Not before the change, which a poll may have come before.
  const beforeMs = Date.now();
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => refreshed.newerThan(known)));
    expect(new Set(answers)).toEqual(new Set([undefined]));
    void refreshed.refresh();
  }
  expect(loads).toBe(2);
  expect(refreshed.confirmedAtMs).toBeLessThanOrEqual(beforeMs);
  hang.resolve();
  await refreshed.refresh();
  expect(refreshed.current.revision).toBe(known.revision + 1);
  expect(loads).toBe(2);
  expect(refreshed.confirmedAtMs).toBeGreaterThan(beforeMs);
});
