// A copy of the configuration: a caller that suspects a change gets it at once, and many callers cost few questions.

import { expect, vi } from "vitest";

import { openLog } from "@sluice/shared/runtime/log";

import { test } from "../../../../tests/support/database.ts";
import { readRevision } from "../connection/configuration-revision.ts";
import { ConfigurationCopy } from "./configuration-copy.ts";

const CHANGE_SOURCES = "UPDATE configuration_parts SET revision = revision + 1 WHERE part = 'sources'";

test("the first caller that suspects a change sees it, and a thousand in vain cost a few questions", async ({
  database,
  onTestFinished,
}) => {
  const { db } = database;
  // Stops the polls, which would see the changes too, and the limit of a wait, which a busy machine could exceed.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  let questions = 0;
  db.pool.on("acquire", () => (questions += 1));
  let value = 0;
  const load = async () => ({ revision: await readRevision(db, "sources"), value: (value += 1) });
  const copy = await ConfigurationCopy.open(db, { name: "sources", load }, openLog("gateway", "silent"));
  onTestFinished(() => copy.close());

  for (let round = 0; round < 3; round++) {
    const known = copy.current;
    await db.pool.query(CHANGE_SOURCES);
    const newer = await copy.waitForNewer(known);
    expect(newer?.revision).toBe(known.revision + 1);
    expect(newer).toBe(copy.current);
  }

  const known = copy.current;
  questions = 0;
  const inVain = await Promise.all(Array.from({ length: 1_000 }, () => copy.waitForNewer(known)));
  expect(inVain.every((newer) => newer === undefined)).toBe(true);
  expect(questions).toBeLessThan(10);
});

test("while PostgreSQL hangs, a caller waits a second, and all callers together cause one load", async ({
  database,
  onTestFinished,
}) => {
  const hang = Promise.withResolvers<void>();
  let loads = 0;
  const load = async () => {
    loads += 1;
    const revision = await readRevision(database.db, "sources");
    if (loads > 1) await hang.promise;
    return { revision, value: loads };
  };
  const copy = await ConfigurationCopy.open(database.db, { name: "sources", load }, openLog("gateway", "silent"));
  onTestFinished(() => copy.close());
  const known = copy.current;
  await database.db.pool.query(CHANGE_SOURCES);
  // Read after the change, because a poll may have run before it.
  const beforeMs = Date.now();
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => copy.waitForNewer(known)));
    expect(new Set(answers)).toEqual(new Set([undefined]));
    void copy.refresh();
  }
  expect(loads).toBe(2);
  expect(copy.confirmedAtMs).toBeLessThanOrEqual(beforeMs);
  hang.resolve();
  await copy.refresh();
  expect(copy.current.revision).toBe(known.revision + 1);
  expect(loads).toBe(2);
  expect(copy.confirmedAtMs).toBeGreaterThan(beforeMs);
});
