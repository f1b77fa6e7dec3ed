// What /readyz says of the queue and its stores, the same for every process that has a producer.

import type { Check } from "@sluice/shared/runtime/health";
import type { Producer, QueueStatus } from "./queue.ts";

/** @param isRequired whether the process is of no use while no store takes a job. */
export function queueChecks(producer: Producer, { isRequired }: Pick<Check, "isRequired">): Record<string, Check> {
  let asking: Promise<QueueStatus> | undefined;
  // Of one probe: both checks are answered by the same question.
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
