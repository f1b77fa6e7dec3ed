import { openLog } from "@sluice/shared/runtime/log";
import { removeTarget } from "@sluice/store/delivery/deleted-targets";
import { expect, onTestFinished, vi } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import { until } from "../../../../tests/support/wait.ts";
import { startSweep } from "./sweep.ts";

test("a backlog of a deleted target is cancelled in runs that follow at once, each of which wakes the lanes first", async ({
  database: { db },
}) => {
  const [targetId, dueId] = [await seedTarget(db), await seedTarget(db)];
  await seedDeliveries(db, dueId, 1);
  // The first batch goes with the target, and the first run ends before the last delivery.
  for (let stored = 0; stored < 6_500; stored += 3_250) await seedDeliveries(db, targetId, 3_250);
  await removeTarget(db, targetId);

  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const woken: string[] = [];
  const sweep = startSweep(db, (id) => woken.push(id), openLog("worker", "fatal", { write: () => undefined }));
  onTestFinished(() => sweep.close());
  const readPending = async () => {
    // Far from the five seconds between two runs.
    vi.advanceTimersByTime(1);
    const { rows } = await db.pool.query<{ target_id: string; count: number }>(
      "SELECT target_id, count(*)::int AS count FROM deliveries WHERE status = 'pending' GROUP BY 1",
    );
    return rows;
  };
  const pending = await until(readPending, { accept: (rows) => rows.length === 1, timeoutMs: 40_000 });
  expect(pending).toEqual([{ target_id: dueId, count: 1 }]);
  expect(woken).toEqual([dueId, dueId]);
});
