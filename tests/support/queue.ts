// Opens the queue as a process does, for a test that adds jobs itself.

import { inject, onTestFinished } from "vitest";

import { openQueueBackend } from "@sluice/queue/open-backend";
import type { Producer, QueueBackend } from "@sluice/queue/queue";
import { openLog } from "@sluice/shared/runtime/log";
import { PostgresServer } from "@sluice/store/connection/postgres-server";

import type { Relay } from "./relay.ts";
import { until } from "./wait.ts";

/** Resolves when the queue takes jobs in the store of this vitest project. It closes when the test has finished. */
export async function openQueue({
  database,
  redisUrl,
}: Pick<Relay, "database" | "redisUrl">): Promise<{ backend: QueueBackend; producer: Producer }> {
  const backend = openQueueBackend({ server: new PostgresServer(database) }, redisUrl, openLog("worker", "silent"));
  const producer = backend.openProducer();
  onTestFinished(async () => {
    await producer.close();
    await backend.close();
  });
  await until(async () => (await producer.status()).takes === inject("queue"));
  return { backend, producer };
}
