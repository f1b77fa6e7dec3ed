// Chooses the stores of the queue: Redis with PostgreSQL to fall back on, or PostgreSQL alone when there is no Redis.

import type { Logger } from "@sluice/shared/runtime/log";

import { openFallbackBackend } from "./fallback-backend.ts";
import { openPostgresBackend, type QueuePostgres } from "./postgres-backend.ts";
import type { QueueBackend, RedisDurability, RedisReplicaRule } from "./queue.ts";
import type { RedisServers } from "./redis-client.ts";
import type { RelayIdentity } from "./relay-identity.ts";

export interface QueueBackendOptions {
  postgres: QueuePostgres;
  /** Undefined for queues in PostgreSQL alone. */
  redis: RedisServers | undefined;
  /** May be settled later. */
  identity: RelayIdentity;
  durability?: RedisDurability | undefined;
  replicas?: RedisReplicaRule | undefined;
  log: Logger;
}

export function openQueueBackend(options: QueueBackendOptions): QueueBackend {
  const { postgres, redis, identity, durability = "verify", replicas = "auto", log } = options;
  return redis === undefined
    ? openPostgresBackend(postgres, log)
    : openFallbackBackend({ postgres, redis, identity, durability, replicas, log });
}
