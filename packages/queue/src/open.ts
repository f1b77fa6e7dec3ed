// Which stores carry the queues: Redis, with PostgreSQL to fall back on, when there is one; else PostgreSQL alone.

import type { Logger } from "@sluice/shared/runtime/log";
import { openFallbackBackend } from "./fallback.ts";
import { openPostgresBackend } from "./postgres.ts";
import type { QueueBackend, RedisDurability } from "./queue.ts";

export function openQueueBackend(
  databaseUrl: string,
  redisUrl: string | undefined,
  log: Logger,
  durability: RedisDurability = "verify",
): QueueBackend {
  return redisUrl === undefined
    ? openPostgresBackend(databaseUrl, log)
    : openFallbackBackend({ databaseUrl, redisUrl, durability, log });
}
