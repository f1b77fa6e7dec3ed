// The checks of the stores for /readyz, in every process that has a producer. A store is well when it takes a job: one
// that only answers questions may still refuse every event.

import type { Check } from "@sluice/shared/runtime/health";
import { within } from "@sluice/shared/runtime/within";

import type { Consumer, Producer, QueueStatus } from "./queue.ts";
import { describeStoreError, NoAnswer } from "./store-error.ts";

/** With the time for the queue's question, below the limit of a check. */
const POOL_LIMIT_MS = 1_000;

export interface StoreChecksOptions {
  /** Whether the process cannot do its work while no store takes a job. */
  needsQueue: boolean;
  /** Whether the process cannot do its work without PostgreSQL. */
  needsPostgres: boolean;
  /** Whether the process can use PostgreSQL on its own connections. */
  askPostgres: () => Promise<boolean>;
}

export function storeChecks(producer: Producer, options: StoreChecksOptions): Record<string, Check> {
  let asking: Promise<QueueStatus> | undefined;
  // A probe runs all checks at once, and one question to the stores answers all of them.
  const ask = () => (asking ??= producer.status().finally(() => (asking = undefined)));
  let asked: Promise<boolean> | undefined;
  const postgres: Check = {
    isRequired: options.needsPostgres,
    ask: async () => {
      const { postgresProblem: problem } = await ask();
      if (problem !== undefined) return { ok: false, problem };
      // A statement that hangs goes on, and MUST NOT cost a connection for each question.
      asked ??= options.askPostgres().finally(() => (asked = undefined));
      const isUsable = await within(POOL_LIMIT_MS, asked);
      return isUsable === undefined ? { ok: false, problem: describeStoreError(new NoAnswer()) } : { ok: isUsable };
    },
  };
  const queue: Check = {
    isRequired: options.needsQueue,
    ask: async () => {
      const { takes } = await ask();
      if (takes === undefined) return { ok: false, takes: null, problem: "no store takes events" };
      return { ok: true, takes };
    },
  };
  if (producer.redis === undefined) return { postgres, queue };
  const redis: Check = {
    isRequired: false,
    ask: async () => {
      const { isWell = false, durable = null, replicas = null, problems = [] } = (await ask()).redis ?? {};
      return { ok: isWell, durable, replicas, problems };
    },
  };
  return { postgres, redis, queue };
}

/** @param read the consumers of this process, which may be none yet. */
export function consumersCheck(read: () => readonly Consumer[]): Check {
  return {
    // Jobs that this process does not get stay in their store, for another process or for later.
    isRequired: false,
    ask: async () => {
      const consumers = read();
      const problems = consumers.flatMap((consumer) => consumer.problems());
      return { ok: consumers.length > 0 && problems.length === 0, problems };
    },
  };
}
