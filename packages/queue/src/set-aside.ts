// Intake jobs that failed for good. They hold acknowledged events that could not be stored, so they are kept until
// somebody acts on them, and every job can be read, whatever its data is.

import { Job, type PgPool } from "bullmq";

import type { BullmqQueues, StoreConnection } from "./bullmq-queues.ts";
import type { SetAsidePosition, SetAsideStore } from "./queue.ts";
import type { RedisClient } from "./redis-client.ts";

const QUEUE = "intake";

export function openSetAside(connection: StoreConnection, queues: BullmqQueues): SetAsideStore {
  const reads =
    connection.store === "redis"
      ? openRedisReads(connection.redis, connection.prefix)
      : openPostgresReads(connection.pool);
  const isSetAside = async (id: string) => (await reads.read(id)) !== undefined;
  return {
    ...reads,
    count: async () => (await queues.get(QUEUE)).getFailedCount(),
    retry: async (id) => {
      if (!(await isSetAside(id))) return false;
      // BullMQ's own way to a job parses its data, and throws when the data is not JSON.
      const job = new Job(await queues.get(QUEUE), QUEUE, {}, {}, id);
      try {
        await job.retry("failed");
        return true;
      } catch (error) {
        // When the job is gone, another caller has retried or discarded it.
        if (await isSetAside(id)) throw error;
        return false;
      }
    },
    discard: async (id) => (await isSetAside(id)) && (await (await queues.get(QUEUE)).remove(id)) === 1,
  };
}

// These queries go past BullMQ. It pages by index, and an index skips and repeats jobs while jobs come and go.
type SetAsideReads = Pick<SetAsideStore, "store" | "positions" | "read">;

function openRedisReads(redis: RedisClient, prefix: Promise<string>): SetAsideReads {
  const keyOf = async (rest: string) => `${await prefix}:${QUEUE}:${rest}`;
  return {
    store: "redis",
    positions: async (before, limit) => {
      const failed = await keyOf("failed");
      const found: SetAsidePosition[] = [];
      for (let offset = 0; found.length < limit; offset += limit) {
        const page = await redis.zrevrangebyscore(
          failed,
          before.failedAtMs,
          "-inf",
          "WITHSCORES",
          "LIMIT",
          offset,
          limit,
        );
        for (let at = 0; at < page.length; at += 2) {
          const position = { id: page[at] ?? "", failedAtMs: Number(page[at + 1]) };
          if (position.failedAtMs < before.failedAtMs || position.id < before.id) found.push(position);
        }
        if (page.length < 2 * limit) break;
      }
      return found.slice(0, limit);
    },
    read: async (id) => {
      const [[data, error, starts], score] = await Promise.all([
        redis.hmget(await keyOf(id), "data", "failedReason", "atm"),
        redis.zscore(await keyOf("failed"), id),
      ]);
      if (score === null || data === null || data === undefined) return undefined;
      return { id, failedAtMs: Number(score), data, error: error ?? "", starts: Number(starts ?? 0) };
    },
  };
}

function openPostgresReads(pool: PgPool): SetAsideReads {
  const from = `FROM job WHERE queue = '${QUEUE}' AND state = 'failed'`;
  return {
    store: "postgres",
    positions: async ({ failedAtMs, id }, limit) => {
      const { rows } = await pool.query(
        `SELECT id, coalesce(finished_at_ms, 0)::float8 AS at
         ${from} AND (coalesce(finished_at_ms, 0), id COLLATE "C") < ($1, $2)
         ORDER BY coalesce(finished_at_ms, 0) DESC, id COLLATE "C" DESC LIMIT $3`,
        [failedAtMs, id, limit],
      );
      return (rows as { id: string; at: number }[]).map((row) => ({ id: row.id, failedAtMs: row.at }));
    },
    read: async (id) => {
      const { rows } = await pool.query(
        `SELECT data::text AS data, failed_reason AS error, attempts_made AS starts,
           coalesce(finished_at_ms, 0)::float8 AS at
         ${from} AND id = $1`,
        [id],
      );
      const [row] = rows as { data: string; error: string | null; starts: number; at: number }[];
      return row && { id, failedAtMs: row.at, data: row.data, error: row.error ?? "", starts: row.starts };
    },
  };
}
