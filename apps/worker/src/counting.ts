// Counts what was written into the figures of /v1/stats, every few seconds. Every worker does it; a lock lets one at a
// time, and what a run that failed left is counted by the next.

import type { Logger } from "@sluice/shared/log";
import type { Database } from "@sluice/shared/store/database";
import { countChanges } from "@sluice/shared/store/stats-count";

const EVERY_MS = 3_000;

export function startCounting(db: Database, log: Logger): { close: () => Promise<void> } {
  let closed = false;
  let running: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const run = async () => {
    let hasMore = false;
    try {
      hasMore = (await countChanges(db))?.hasMore ?? false;
    } catch (error) {
      // Failure policy: open. The figures are late and stay exact.
      log.warn({ err: error }, "changes not counted yet");
    }
    if (!closed) schedule(hasMore ? 0 : EVERY_MS);
  };
  const schedule = (inMs: number) => {
    timer = setTimeout(() => {
      running = run();
    }, inMs);
  };
  schedule(EVERY_MS);
  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
