// Chooses the stores of the queue: Redis with PostgreSQL to fall back on, or PostgreSQL alone when there is no Redis.

import type { Logger } from "@sluice/shared/runtime/log";

import { openFallbackBackend } from "./fallback-backend.ts";
import { openPostgresBackend } from "./postgres-backend.ts";
import type { QueueBackend, RedisDurability, RedisReplicaRule } from "./queue.ts";

export function openQueueBackend(
  databaseUrl: string,
  redisUrl: string | undefined,
  log: Logger,
  durability: RedisDurability = "verify",
  replicas: RedisReplicaRule = "auto",
): QueueBackend {
  return redisUrl === undefined
    ? openPostgresBackend(databaseUrl, log)
    : openFallbackBackend({ databaseUrl, redisUrl, durability, replicas, log });
}
