// Which store carries the queues: Redis when there is one, else PostgreSQL.

import type { Logger } from "../log.ts";
import { openPostgresBackend } from "./postgres.ts";
import type { QueueBackend } from "./queue.ts";
import { openRedisBackend } from "./redis.ts";

export function openQueueBackend(databaseUrl: string, redisUrl: string | undefined, log: Logger): QueueBackend {
  return redisUrl === undefined ? openPostgresBackend(databaseUrl, log) : openRedisBackend(redisUrl, log);
}
