// Single-use callback URLs: the first webhook that comes by one consumes it, and only its own retries may use it
// again. The one thing that a callback URL leaves in the database.

import type { Database } from "../connection/database.ts";

/** @returns whether this webhook is the one that the URL was used by, now or before. */
export async function consumeCallback(
  db: Database,
  id: string,
  webhookId: string,
  expiresAtMs: number,
): Promise<boolean> {
  const { rows } = await db.pool.query<{ webhook_id: string }>({
    name: "consume-callback",
    // The update changes nothing; it makes the row that was there come back.
    text: `INSERT INTO consumed_callbacks (id, webhook_id, expires_at) VALUES ($1, $2, $3)
           ON CONFLICT (id) DO UPDATE SET webhook_id = consumed_callbacks.webhook_id RETURNING webhook_id`,
    values: [id, webhookId, new Date(expiresAtMs)],
  });
  return rows[0]?.webhook_id === webhookId;
}

/** Forgets URLs that have expired. @returns how many. */
export async function pruneConsumedCallbacks(db: Database): Promise<number> {
  const { rowCount } = await db.pool.query("DELETE FROM consumed_callbacks WHERE expires_at < now()");
  return rowCount ?? 0;
}
