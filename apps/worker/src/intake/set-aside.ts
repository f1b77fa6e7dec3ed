// Events that cannot be stored leave their batch: each goes back to the queue as a job of its own, where it fails by
// itself and is kept.

import type { QueuedEvent } from "@sluice/queue/jobs";
import { Interrupted, type Producer } from "@sluice/queue/queue";
import { formatId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import { pause } from "@sluice/shared/runtime/pause";
import { sparing } from "@sluice/shared/runtime/sparing-log";

import type { Faults } from "./match.ts";

const RETRY_MS = 500;

export interface SetAsideContext {
  producer: Pick<Producer, "add">;
  /** Aborts when the worker stops. */
  stopping: AbortSignal;
  log: Logger;
}

/**
 * Sets the events at fault aside. A crash in between repeats some of them, which the ledger drops.
 * @param batch all events of the job.
 * @throws the fault, when the job has one event only: the job itself fails then. Interrupted when the worker stops
 * meanwhile.
 */
export async function setAside(
  batch: readonly QueuedEvent[],
  faults: Faults,
  dependencies: SetAsideContext,
): Promise<void> {
  const { stopping, log } = dependencies;
  for (const [event, cause] of faults) {
    log.error({ err: cause, event: describeId(event), batch: batch.length }, "event cannot be stored");
    if (batch.length === 1) throw cause;
    while (!(await isAdded(event, dependencies))) {
      if ((await pause(RETRY_MS, stopping)) === "aborted") throw new Interrupted();
    }
  }
}

async function isAdded(event: QueuedEvent, { producer, log }: SetAsideContext): Promise<boolean> {
  try {
    await producer.add("intake", { events: [event] });
    return true;
  } catch (error) {
    // The queue is away: nothing is wrong with the batch, which MUST NOT fail for that.
    sparing(log).warn({ err: error }, "event not set aside yet; trying again");
    return false;
  }
}

/** A job may hold anything, and describing it must not fail. */
function describeId(event: QueuedEvent): string | null {
  const id: unknown = (event as QueuedEvent | null)?.id;
  return typeof id === "string" ? formatId("evt", id) : null;
}
