// Adds the intake jobs of a backup to the queue in PostgreSQL, in the transaction of the restore. Their events may be in
// the restored ledger already: then a worker recognises them, as it does with every job that it gets twice.

import { createPostgresBackend, type PgPool, Queue } from "bullmq";
import type pg from "pg";

import { keepingOptions } from "./bullmq-queues.ts";

const QUEUE = "intake";

export interface RestoredIntake {
  /** @param jobs their data. Jobs that were set aside are tried again, as each start of a worker does. */
  add: (jobs: readonly unknown[]) => Promise<void>;
  close: () => Promise<void>;
}

/**
 * @param client in a transaction. Until `close`, every statement on it finds BullMQ's tables only.
 */
export async function openRestoredIntake(client: pg.Client): Promise<RestoredIntake> {
  const { rows } = await client.query<{ path: string }>("SELECT current_setting('search_path') AS path");
  // BullMQ names its tables without a schema.
  await client.query("SET LOCAL search_path = bullmq");
  const queue = new Queue(QUEUE, { connection: poolOfOne(client) }, createPostgresBackend);
  await queue.waitUntilReady();
  return {
    add: async (jobs) => {
      await queue.addBulk(jobs.map((data) => ({ name: QUEUE, data, opts: keepingOptions(QUEUE) })));
    },
    close: async () => {
      await queue.close();
      await client.query("SELECT set_config('search_path', $1, true)", [rows[0]?.path]);
    },
  };
}

/** What BullMQ uses of a pool, on one connection. */
function poolOfOne(client: pg.Client): PgPool {
  const pool = {
    query: (text: string, values?: readonly unknown[]) => client.query(text, values === undefined ? [] : [...values]),
    connect: async () => ({ ...pool, release: () => undefined }),
    end: async () => undefined,
    on: () => pool,
    removeListener: () => pool,
    removeAllListeners: () => pool,
  };
  return pool as unknown as PgPool;
}
