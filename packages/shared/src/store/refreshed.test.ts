import { openLog } from "../log.ts";
import { expect } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { Refreshed } from "./refreshed.ts";

test("a change is seen by the first who suspects it, and a thousand who suspect one in vain cost a few questions", async ({
  database,
  onTestFinished,
}) => {
  const { db } = database;
  let questions = 0;
  db.pool.on("acquire", () => (questions += 1));
  let value = 0;
  const refreshed = await Refreshed.open(db, async () => (value += 1), openLog("gateway", "silent"));
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
