// Opens the queue as a process does, for a test that adds jobs itself.

import { inject, onTestFinished } from "vitest";

import { openQueueBackend, type QueueBackendOptions } from "@sluice/queue/open-backend";
import type { Producer, QueueBackend } from "@sluice/queue/queue";
import { RelayIdentity } from "@sluice/queue/relay-identity";
import { openLog } from "@sluice/shared/runtime/log";
import { readRelayId } from "@sluice/store/connection/configuration-row";
import { PostgresServer } from "@sluice/store/connection/postgres-server";

import type { TestDatabase } from "./database.ts";
import { readAddress } from "./redis.ts";
import type { Relay } from "./relay.ts";
import { until } from "./wait.ts";

/** Opens the queue of the relay of a database. The caller closes it. */
export async function openBackend(
  database: TestDatabase,
  redisUrl: string | undefined,
  options: Partial<QueueBackendOptions> = {},
): Promise<QueueBackend> {
  const identity = new RelayIdentity();
  identity.settle(await readRelayId(database.db));
  return openQueueBackend({
    postgres: { server: new PostgresServer(database) },
    redis: redisUrl === undefined ? undefined : { address: readAddress(redisUrl) },
    identity,
    log: openLog("worker", "silent"),
    ...options,
  });
}

/** Resolves when the queue takes jobs in the store of this vitest project. It closes when the test has finished. */
export async function openQueue({
  database,
  redisUrl,
}: Pick<Relay, "database" | "redisUrl">): Promise<{ backend: QueueBackend; producer: Producer }> {
  const backend = await openBackend(database, redisUrl);
  const producer = backend.openProducer();
  onTestFinished(async () => {
    await producer.close();
    await backend.close();
  });
  await until(async () => (await producer.status()).takes === inject("queue"));
  return { backend, producer };
}
