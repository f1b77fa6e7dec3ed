// The budget of requests to Gemini: one count for each API key and hour, over all gateways and workers.

import { sql } from "drizzle-orm";

import type { Connection, Database } from "../connection/database.ts";
import { pruneBatches } from "../connection/prune-batches.ts";

/** Takes one request off the budget of a key. @returns false when this hour has none left. */
export async function spendGeminiRequest(db: Connection, keyId: string, perHour: number): Promise<boolean> {
  const { rowCount } = await db.orm.execute(sql`
    INSERT INTO gemini_requests AS spent (key_id, hour, sent) VALUES (${keyId}, date_trunc('hour', now()), 1)
    ON CONFLICT (key_id, hour) DO UPDATE SET sent = spent.sent + 1 WHERE spent.sent < ${perHour}
    RETURNING sent`);
  return rowCount === 1;
}

/** How many requests were sent with a key in this hour. */
export async function countGeminiRequests(db: Connection, keyId: string): Promise<number> {
  const { rows } = await db.orm.execute<{ sent: number }>(sql`
    SELECT sent FROM gemini_requests WHERE key_id = ${keyId} AND hour = date_trunc('hour', now())`);
  return rows[0]?.sent ?? 0;
}

/** Deletes the counts of earlier days. @returns how many. */
export async function pruneGeminiRequests(db: Database): Promise<number> {
  return pruneBatches(db, "gemini_requests", "hour < now() - interval '1 day'", []);
}
