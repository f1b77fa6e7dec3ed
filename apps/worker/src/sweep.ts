// The sweep: every few seconds, each worker wakes the lanes of targets that have deliveries which are due and in
// nobody's hands. It asks PostgreSQL alone, so it works whatever happened to the queues.

import type { Logger } from "@sluice/shared/log";
import type { Database } from "@sluice/shared/store/database";
import { listTargetsWithDue } from "@sluice/shared/store/deliveries";

const EVERY_MS = 5_000;

export function startSweep(
  db: Database,
  wake: (targetId: string) => void,
  log: Logger,
): { close: () => Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let closed = false;
  const run = async () => {
    try {
      for (const targetId of await listTargetsWithDue(db)) wake(targetId);
    } catch (error) {
      log.warn({ err: error }, "sweep failed");
    }
    // Spread by a fifth, so that the workers do not all ask at once.
    if (!closed) schedule(EVERY_MS * (0.9 + Math.random() * 0.2));
  };
  const schedule = (inMs: number) => {
    timer = setTimeout(() => {
      running = run();
    }, inMs);
  };
  // At once: a worker that was down finds what became due meanwhile.
  schedule(0);
  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
