// The queue as a process has it, for a test that adds jobs itself.

import { openLog } from "@sluice/shared/runtime/log";
import { openQueueBackend } from "@sluice/queue/open-backend";
import type { Producer, QueueBackend } from "@sluice/queue/queue";
import { inject, onTestFinished } from "vitest";

import type { Relay } from "./relay.ts";
import { until } from "./wait.ts";

/** Ready for jobs. It closes when the test has finished. */
export async function openQueue({
  database,
  redisUrl,
}: Pick<Relay, "database" | "redisUrl">): Promise<{ backend: QueueBackend; producer: Producer }> {
  const backend = openQueueBackend(database.url, redisUrl, openLog("worker", "silent"));
  const producer = backend.openProducer();
  onTestFinished(async () => {
    await producer.close();
    await backend.close();
  });
  await until(async () => (await producer.status()).takes === inject("queue"));
  return { backend, producer };
}
