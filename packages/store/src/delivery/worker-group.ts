// The workers that are alive, and the group by which they divide the limits of targets. Each worker gives a sign of
// life and reads those of the others in one statement. worker-group-state.ts in the worker says what they make of
// it.

import type pg from "pg";

import type { Database } from "../connection/database.ts";

/** A worker of this age is dead, however short the time is for which another one has watched it. */
const STALE = "45 seconds";

/** A sign of life that takes longer is of no use; the next one is on another connection. */
const BEAT_LIMIT_MS = 5_000;

/** What a worker tells the others. */
export interface WorkerReport {
  /** The newest group that it keeps to. */
  epoch: number;
  /** The targets at which it has more requests in flight than that group allows it. */
  overIds: readonly string[];
  /** The targets that have more deliveries due than it may send. */
  waitingIds: readonly string[];
}

/** Another worker. */
export interface WorkerRow extends WorkerReport {
  id: string;
  /** Changes with each sign of life. */
  beats: number;
  /** Whether its last sign of life is so old that it is dead for certain. */
  isStale: boolean;
}

export interface WorkerGroup {
  /** One more with each new group. */
  epoch: number;
  members: readonly string[];
}

export interface GroupLook {
  group: WorkerGroup;
  others: WorkerRow[];
}

const BEAT = `
WITH beat AS (
  INSERT INTO workers AS w (id, beats, epoch, over_ids, waiting_ids) VALUES ($1, 1, $2, $3::uuid[], $4::uuid[])
  ON CONFLICT (id) DO UPDATE SET seen_at = now(), beats = w.beats + 1, epoch = excluded.epoch,
    over_ids = excluded.over_ids, waiting_ids = excluded.waiting_ids
)
SELECT g.epoch AS group_epoch, g.members, w.id, w.beats, w.epoch, w.over_ids, w.waiting_ids,
  w.seen_at < now() - interval '${STALE}' AS is_stale
FROM worker_group g LEFT JOIN workers w ON w.id <> $1`;

/** Gives a sign of life of this worker. @returns the group, and the other workers. */
export async function beatWorker(db: Database, workerId: string, report: WorkerReport): Promise<GroupLook> {
  const values = [workerId, report.epoch, report.overIds, report.waitingIds];
  // The types of pg lack `query_timeout` of a single statement.
  const statement: pg.QueryConfig = Object.assign(
    { name: "beat-worker", text: BEAT, values },
    { query_timeout: BEAT_LIMIT_MS },
  );
  const { rows } = await db.pool.query<{
    group_epoch: string;
    members: string[];
    id: string | null;
    beats: string;
    epoch: string;
    over_ids: string[];
    waiting_ids: string[];
    is_stale: boolean;
  }>(statement);
  return {
    group: { epoch: Number(rows[0]?.group_epoch ?? 0), members: rows[0]?.members ?? [] },
    others: rows.flatMap((row) =>
      row.id === null
        ? []
        : {
            id: row.id,
            beats: Number(row.beats),
            epoch: Number(row.epoch),
            overIds: row.over_ids,
            waitingIds: row.waiting_ids,
            isStale: row.is_stale,
          },
    ),
  };
}

/** Puts a new group in the place of the one with this epoch. @returns false when another worker was first. */
export async function replaceGroup(db: Database, epoch: number, members: readonly string[]): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: "replace-group",
    text: "UPDATE worker_group SET epoch = epoch + 1, members = $2::uuid[] WHERE epoch = $1",
    values: [epoch, members],
  });
  return rowCount === 1;
}

/** Takes a worker that sends nothing any more out of the list. */
export async function removeWorker(db: Database, workerId: string): Promise<void> {
  await db.pool.query({ name: "remove-worker", text: "DELETE FROM workers WHERE id = $1", values: [workerId] });
}

/** Takes those out of the list that died long ago. */
export async function removeDeadWorkers(db: Database): Promise<void> {
  await db.pool.query(`DELETE FROM workers WHERE seen_at < now() - interval '${STALE}'`);
}
