// Intake jobs that failed for good: acknowledged events that could not be stored. They are kept until somebody acts on
// them, so they are read as they are, whatever is in them.

import { Job, type PgPool } from "bullmq";
import type { Redis } from "ioredis";

import { type BullmqQueues, PREFIX, type StoreConnection } from "./bullmq.ts";
import type { SetAsidePosition, SetAsideStore } from "./queue.ts";

const QUEUE = "intake";

export function openSetAside(connection: StoreConnection, queues: BullmqQueues): SetAsideStore {
  const reads = "redis" in connection ? readRedis(connection.redis) : readPostgres(connection.postgres);
  const isSetAside = async (id: string) => (await reads.read(id)) !== undefined;
  return {
    ...reads,
    count: async () => (await queues.get(QUEUE)).getFailedCount(),
    retry: async (id) => {
      if (!(await isSetAside(id))) return false;
      // Not by reading it through BullMQ, which throws where its data is no JSON.
      const job = new Job(await queues.get(QUEUE), QUEUE, {}, {}, id);
      try {
        await job.retry("failed");
        return true;
      } catch (error) {
        // Somebody else was faster.
        if (await isSetAside(id)) throw error;
        return false;
      }
    },
    discard: async (id) => (await isSetAside(id)) && (await (await queues.get(QUEUE)).remove(id)) === 1,
  };
}

type Reads = Pick<SetAsideStore, "store" | "positions" | "read">;

// BullMQ pages by index, which skips and repeats while jobs come and go; so both stores are asked by position.

function readRedis(redis: Redis): Reads {
  const failed = `${PREFIX}:${QUEUE}:failed`;
  return {
    store: "redis",
    positions: async (before, limit) => {
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
        redis.hmget(`${PREFIX}:${QUEUE}:${id}`, "data", "failedReason", "atm"),
        redis.zscore(failed, id),
      ]);
      if (score === null || data === null || data === undefined) return undefined;
      return { id, failedAtMs: Number(score), data, error: error ?? "", starts: Number(starts ?? 0) };
    },
  };
}

function readPostgres(pool: PgPool): Reads {
  const from = `FROM job WHERE queue = '${QUEUE}' AND state = 'failed'`;
  return {
    store: "postgres",
    positions: async ({ failedAtMs, id }, limit) => {
      const { rows } = await pool.query(
        `SELECT id, coalesce(finished_at_ms, 0)::float8 AS at ${from} AND (coalesce(finished_at_ms, 0), id COLLATE "C") < ($1, $2)
         ORDER BY coalesce(finished_at_ms, 0) DESC, id COLLATE "C" DESC LIMIT $3`,
        [failedAtMs, id, limit],
      );
      return (rows as { id: string; at: number }[]).map((row) => ({ id: row.id, failedAtMs: row.at }));
    },
    read: async (id) => {
      const { rows } = await pool.query(
        `SELECT data::text AS data, failed_reason AS error, attempts_made AS starts, coalesce(finished_at_ms, 0)::float8 AS at
         ${from} AND id = $1`,
        [id],
      );
      const [row] = rows as { data: string; error: string | null; starts: number; at: number }[];
      return row && { id, failedAtMs: row.at, data: row.data, error: row.error ?? "", starts: row.starts };
    },
  };
}
