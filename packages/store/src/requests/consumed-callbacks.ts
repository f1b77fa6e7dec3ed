// Single-use callback URLs that were used. The first webhook that arrives at such a URL consumes it, and only retries
// of that webhook may use it again. Nothing else about a callback URL is stored.

import type { Database } from "../connection/database.ts";

/** Consumes a callback URL for a webhook. @returns false when another webhook has consumed it before. */
export async function consumeCallback(
  db: Database,
  id: string,
  webhookId: string,
  expiresAtMs: number,
): Promise<boolean> {
  const { rows } = await db.pool.query<{ webhook_id: string }>({
    name: "consume-callback",
    // The update changes nothing. Without it, RETURNING would not return a row that exists already.
    text: `INSERT INTO consumed_callbacks (id, webhook_id, expires_at) VALUES ($1, $2, $3)
           ON CONFLICT (id) DO UPDATE SET webhook_id = consumed_callbacks.webhook_id RETURNING webhook_id`,
    values: [id, webhookId, new Date(expiresAtMs)],
  });
  return rows[0]?.webhook_id === webhookId;
}

/** The webhook that consumed a callback URL; undefined when none did. */
export async function findConsumer(db: Database, id: string): Promise<string | undefined> {
  const { rows } = await db.pool.query<{ webhook_id: string }>(
    "SELECT webhook_id FROM consumed_callbacks WHERE id = $1",
    [id],
  );
  return rows[0]?.webhook_id;
}

/** Deletes the rows of URLs that have expired. @returns how many. */
export async function pruneConsumedCallbacks(db: Database): Promise<number> {
  const { rowCount } = await db.pool.query("DELETE FROM consumed_callbacks WHERE expires_at < now()");
  return rowCount ?? 0;
}
