// JWTs that proved a webhook. A JWT does not sign the header `webhook-id`, so each proves only the id that it came with
// first, until it expires. `storeEvents` writes and decides; the ingress asks here before, to refuse early.

import type { Database } from "../connection/database.ts";
import { pruneBatches } from "../connection/prune-batches.ts";

/** The webhook id that a token proved first. Undefined when no stored event came with this token. */
export async function findSpentToken(db: Database, sourceId: string, tokenId: string): Promise<string | undefined> {
  const { rows } = await db.pool.query<{ webhook_id: string }>({
    name: "find-spent-token",
    text: "SELECT webhook_id FROM spent_tokens WHERE source_id = $1 AND token_id = $2",
    values: [sourceId, tokenId],
  });
  return rows[0]?.webhook_id;
}

/**
 * How long a token is kept after it has expired. While PostgreSQL is away, requests are verified and wait in a queue, and the
 * ones that wait longest MUST still be compared with the first. It also covers clocks that differ.
 */
const KEPT_DAYS = 7;

/** Deletes the tokens that expired long ago. @returns how many. */
export async function pruneSpentTokens(db: Database): Promise<number> {
  return pruneBatches(db, "spent_tokens", `expires_at < now() - interval '${KEPT_DAYS} days'`, []);
}
