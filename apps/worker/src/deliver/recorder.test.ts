import { newId } from "@sluice/shared/domain/ids";
import { openLog } from "@sluice/shared/runtime/log";
import type { Database } from "@sluice/store/connection/database";
import { beforeEach, describe, expect, onTestFinished, vi } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { makeAttempt } from "../../../../tests/support/seed.ts";
import { Recorder } from "./recorder.ts";

function openRecorder(db: Database) {
  const recorder = new Recorder(db, newId(), new AbortController().signal, openLog("worker", "silent"));
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
    await vi.advanceTimersByTimeAsync(20);
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
