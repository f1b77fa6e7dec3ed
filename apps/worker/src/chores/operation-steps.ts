// Makes the steps of bulk operations, one after the other. Every worker does it: the lock of an operation's row lets
// one at a time. When a worker dies in a step, another one makes that step again.

import { formatId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Database } from "@sluice/store/connection/database";
import { hasDueStep, makeNextStep, STEP_SIZE } from "@sluice/store/delivery/operation-step";

import { type Loop, startLoop } from "./loop.ts";

/** Short, because a person waits for the first step. */
const EVERY_MS = 1_000;

export function startOperations(db: Database, wake: (targetId: string) => void, log: Logger): Loop {
  return startLoop(EVERY_MS, async () => {
    try {
      const step = (await hasDueStep(db)) ? await makeNextStep(db, STEP_SIZE) : undefined;
      if (step === undefined) return EVERY_MS;
      for (const targetId of step.targetIds) wake(targetId);
      const operation = formatId("opr", step.operationId);
      if (step.error !== undefined) log.warn({ operation, error: step.error }, "operation failed");
      else if (step.isLast) log.info({ operation }, "operation succeeded");
      return 0;
    } catch (error) {
      // Failure policy: open. The step is one transaction, which left nothing, and it is made again.
      sparing(log).warn({ err: error }, "step of an operation failed; trying again");
      return EVERY_MS;
    }
  });
}
