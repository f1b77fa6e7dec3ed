// The checks of the queue and its stores for /readyz, in every process that has a producer.

import type { Check } from "@sluice/shared/runtime/health";

import type { Producer, QueueStatus } from "./queue.ts";

/** @param isRequired whether the process cannot do its work while no store takes a job. */
export function queueChecks(producer: Producer, { isRequired }: Pick<Check, "isRequired">): Record<string, Check> {
  let asking: Promise<QueueStatus> | undefined;
  // A probe runs both checks at once, and one question to the stores answers both.
  const ask = () => (asking ??= producer.status().finally(() => (asking = undefined)));
  const queue: Check = {
    isRequired,
    ask: async () => {
      const { takes } = await ask();
      return { ok: takes !== undefined, takes: takes ?? null };
    },
  };
  if (producer.redis === undefined) return { queue };
  const redis: Check = {
    isRequired: false,
    ask: async () => {
      const state = (await ask()).redis;
      return { ok: state?.takesJobs === true, durable: state?.durable ?? null, problems: state?.problems ?? [] };
    },
  };
  return { redis, queue };
}
