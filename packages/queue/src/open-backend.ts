// Chooses the stores of the queue: Redis with PostgreSQL to fall back on, or PostgreSQL alone when there is no Redis.

import type { Logger } from "@sluice/shared/runtime/log";

import { openFallbackBackend } from "./fallback-backend.ts";
import { openPostgresBackend, type QueuePostgres } from "./postgres-backend.ts";
import type { QueueBackend, RedisDurability, RedisReplicaRule } from "./queue.ts";

export function openQueueBackend(
  postgres: QueuePostgres,
  redisUrl: string | undefined,
  log: Logger,
  durability: RedisDurability = "verify",
  replicas: RedisReplicaRule = "auto",
): QueueBackend {
  return redisUrl === undefined
    ? openPostgresBackend(postgres, log)
    : openFallbackBackend({ postgres, redisUrl, durability, replicas, log });
}
