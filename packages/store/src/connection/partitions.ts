// Day partitions of the log tables: made ahead, and on demand. Making them waits for nobody: it takes a lock only when a
// partition is missing, and no drop holds that lock (retire-partitions.ts).

import { idTime } from "@sluice/shared/domain/ids";

import type { Database } from "./database.ts";
import { hasSqlState } from "./postgres-errors.ts";

/** The length of one partition, which reaches from midnight to midnight in UTC. */
export const DAY_MS = 86_400_000;
/** check_violation, which PostgreSQL also raises for a row that belongs to no partition. */
const NO_PARTITION = "23514";

/** Makes the partitions from the day of one instant to the day of another, in milliseconds since 1970. */
export async function ensurePartitions(db: Database, firstMs: number, lastMs: number): Promise<void> {
  await db.pool.query("SELECT ensure_partitions($1::date, $2::date)", [isoDay(firstMs), isoDay(lastMs)]);
}

/**
 * Runs an insert of rows with these ids. If a partition is missing, makes it and runs the insert again: an event may
 * have waited in the queue for days, or a clock may be ahead.
 */
export async function withPartitions<T>(db: Database, ids: readonly string[], insert: () => Promise<T>): Promise<T> {
  try {
    return await insert();
  } catch (error) {
    if (!lacksPartition(error)) throw error;
    const days = new Set(ids.map((id) => Math.floor(idTime(id) / DAY_MS) * DAY_MS));
    for (const ms of days) await ensurePartitions(db, ms, ms);
    return insert();
  }
}

/**
 * Whether an insert failed because its rows belong to a day whose partition was dropped, or not made yet. PostgreSQL names
 * the constraint in the other case, that rows violate a CHECK of their table.
 */
export function lacksPartition(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("constraint" in error && error.constraint !== undefined) return false;
  return hasSqlState(error, NO_PARTITION) && (error.cause === undefined || lacksPartition(error.cause));
}

/** @returns the day in UTC of an instant, such as `2026-01-31`. */
export function isoDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
