// Deletes old rows in statements of bounded size, so that none holds its locks, or keeps the disk busy, for long.

import type { Database } from "./database.ts";

const BATCH = 5_000;

/**
 * Deletes the rows of a table that match a condition.
 * @param table our own SQL text, never a caller's, as is `condition`.
 * @returns how many.
 */
export async function pruneBatches(db: Database, table: string, condition: string, values: unknown[]): Promise<number> {
  for (let pruned = 0; ;) {
    const { rowCount } = await db.pool.query(
      `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${table} WHERE ${condition} LIMIT ${BATCH}))`,
      values,
    );
    pruned += rowCount ?? 0;
    if ((rowCount ?? 0) < BATCH) return pruned;
  }
}
