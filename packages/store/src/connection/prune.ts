// Deleting what is old in statements of bounded size, so that none holds its locks, or the disk, for long.

import type { Database } from "./database.ts";

const BATCH = 5_000;

/** Deletes the rows of a table that match a condition. Both are our own text, never a caller's. @returns how many. */
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
