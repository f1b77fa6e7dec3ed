// The one row of `retention_state`: whose turn it is to drop what is past retention, and what the last turn left. The
// drop belongs to the relay and not to a worker, because each try may make others wait for a moment.

import type { Database } from "../connection/database.ts";
import { retentionState } from "../schema.ts";

/** If a worker dies in its turn, another one takes the next turn after this time. */
const TURN = "10 minutes";

/** What the last turn left. */
export interface RetentionState {
  /** Days past retention whose partitions are not dropped yet. */
  overdueDays: number;
  /** Deliveries past retention that are not finished, by the state of their target or `deleted`. */
  unfinished: Record<string, number>;
  /** How many days longer than the retention the oldest day of the log is kept, for either reason. */
  heldDays: number;
}

/** How long a worker keeps things. */
export interface RetentionPeriods {
  logDays: number;
  /** Undefined when bodies are kept as long as the log. */
  bodyDays: number | undefined;
  auditDays: number;
}

/** Notes the settings of a worker, which the gateways do not have. Workers with other settings write one over the other. */
export async function noteRetention(db: Database, { logDays, bodyDays, auditDays }: RetentionPeriods): Promise<void> {
  await db.orm.update(retentionState).set({ logDays, bodyDays: bodyDays ?? null, auditDays });
}

/** @returns undefined until a worker has noted its settings. */
export async function readRetentionPeriods(db: Database): Promise<RetentionPeriods | undefined> {
  const [row] = await db.orm.select().from(retentionState);
  if (row === undefined || row.logDays === null || row.auditDays === null) return undefined;
  return { logDays: row.logDays, bodyDays: row.bodyDays ?? undefined, auditDays: row.auditDays };
}

/** @returns whether a drop is due and this caller has the turn, until {@link endTurn}. */
export async function takeTurn(db: Database): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `UPDATE retention_state SET next_drop_at = now() + interval '${TURN}' WHERE next_drop_at <= now()`,
  );
  return rowCount === 1;
}

/** @param nextInMs how long nobody has to try again. */
export async function endTurn(db: Database, state: RetentionState, nextInMs: number): Promise<void> {
  await db.pool.query(
    `UPDATE retention_state SET next_drop_at = now() + $1::float8 * interval '1 ms', overdue_days = $2, unfinished = $3,
       held_days = $4`,
    [nextInMs, state.overdueDays, JSON.stringify(state.unfinished), state.heldDays],
  );
}

/** @returns undefined while the row is missing, as before the first migration. */
export async function readRetentionState(db: Database): Promise<RetentionState | undefined> {
  const { rows } = await db.pool.query<RetentionState>(
    `SELECT overdue_days AS "overdueDays", unfinished, held_days AS "heldDays" FROM retention_state`,
  );
  return rows[0];
}
