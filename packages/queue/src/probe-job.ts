// Tries out a store as an acknowledgement uses it: by a job. A question such as SELECT or PING passes where jobs fail:
// on a full disk, with sessions that may only read, or as a user that may not run scripts.

import { randomBytes } from "node:crypto";

import type { BullmqQueues } from "./bullmq-queues.ts";

/** A queue that nobody consumes. It holds one job at most. */
const QUEUE = "probe";
const JOB_ID = "probe";
/** The size of the largest batch of events. */
const MAX_BYTES = 1024 * 1024;

export interface ProbeOptions {
  /** How large the job is. A store may have room for a small job and not for a large one. */
  bytes: number;
  /** Resolves when the job is as durable as one with events. */
  confirm?: (() => Promise<void>) | undefined;
}

/**
 * Adds a job in the place of the one that the last probe left.
 * @throws Error of the store.
 */
export async function addProbeJob(queues: BullmqQueues, { bytes, confirm }: ProbeOptions): Promise<void> {
  const queue = await queues.get(QUEUE);
  // Before and not after: a job that is there already would make the next one a write of nothing.
  await queue.remove(JOB_ID);
  // Random, because PostgreSQL compresses everything else.
  const filler = randomBytes(Math.ceil((Math.min(bytes, MAX_BYTES) * 3) / 4)).toString("base64");
  await queue.add(QUEUE, { filler }, { jobId: JOB_ID });
  await confirm?.();
}
