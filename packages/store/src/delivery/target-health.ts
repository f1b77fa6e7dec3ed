// The health of targets, which all workers share: the state of each circuit breaker, the probe of an open breaker, and
// since when every attempt failed. All times are PostgreSQL's. Figures that nobody needs at once are written once a
// minute.

import type { Database } from "../connection/database.ts";
import { hasDue, type Lease } from "./deliveries.ts";

/** A target that is failing or whose breaker is open. */
export interface AilingTarget {
  targetId: string;
  /** How often the breaker opened in a row; 0 while it is closed. */
  openings: number;
  /** Whether the breaker may be probed now and the target has a due delivery to probe it with. */
  isProbeDue: boolean;
  /** Whether its last attempt failed. */
  isFailing: boolean;
  /** Whether every attempt failed for so long that the target is to be disabled. */
  isFailingTooLong: boolean;
}

/** SQL: the open time of the breaker is over, and no worker holds the lease of a probe. */
const MAY_PROBE = "open_until <= now() AND (probe_until IS NULL OR probe_until <= now())";

/**
 * Every target that is failing or whose breaker is open: few rows of a small table.
 * @param disableAfterMs the time of failing after which a target is disabled; Infinity for never.
 */
export async function listAiling(db: Database, disableAfterMs: number): Promise<AilingTarget[]> {
  const { rows } = await db.pool.query<{
    target_id: string;
    openings: number;
    is_probe_due: boolean;
    is_failing: boolean;
    is_failing_too_long: boolean;
  }>({
    name: "list-ailing",
    text: `SELECT target_id, openings, failing_since IS NOT NULL AS is_failing,
             coalesce(extract(epoch FROM now() - failing_since) * 1000 >= $1::float8, false) AS is_failing_too_long,
             coalesce(${MAY_PROBE} AND ${hasDue("h.target_id")}, false) AS is_probe_due
           FROM target_health h WHERE openings > 0 OR failing_since IS NOT NULL`,
    values: [disableAfterMs],
  });
  return rows.map((row) => ({
    targetId: row.target_id,
    openings: row.openings,
    isProbeDue: row.is_probe_due,
    isFailing: row.is_failing,
    isFailingTooLong: row.is_failing_too_long,
  }));
}

/** Opens the breaker of an enabled target. @returns false when it is open already or the target is not enabled. */
export async function writeOpenBreaker(db: Database, targetId: string, openMs: number): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: "open-breaker",
    text: `INSERT INTO target_health AS h (target_id, openings, open_until)
           SELECT id, 1, now() + $2::float8 * interval '1 ms' FROM targets WHERE id = $1 AND state = 'enabled'
           ON CONFLICT (target_id) DO UPDATE SET openings = 1, open_until = excluded.open_until,
             probe_by = NULL, probe_until = NULL
           WHERE h.openings = 0`,
    values: [targetId, openMs],
  });
  return rowCount === 1;
}

/**
 * Claims the one probe of a breaker whose time is over. The lease limits how long a worker that dies blocks the probe.
 * @returns how often in a row the breaker opened; undefined when no probe is to be made or another worker makes it.
 */
export async function claimProbe(db: Database, targetId: string, lease: Lease): Promise<number | undefined> {
  const { rows } = await db.pool.query<{ openings: number }>({
    name: "claim-probe",
    text: `UPDATE target_health SET probe_by = $2, probe_until = now() + $3::float8 * interval '1 ms'
           WHERE target_id = $1 AND ${MAY_PROBE}
           RETURNING openings`,
    values: [targetId, lease.workerId, lease.durationMs],
  });
  return rows[0]?.openings;
}

/** What a probe leads to: the breaker closes, opens again for `openMs`, or waits for another probe. */
export type ProbeResult = { kind: "closed" } | { kind: "opened"; openMs: number } | { kind: "not_made" };

/** Ends a probe of this worker. @returns false when its lease ran out and another worker has claimed the probe. */
export async function endProbe(
  db: Database,
  targetId: string,
  workerId: string,
  result: ProbeResult,
): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: "end-probe",
    text: `UPDATE target_health SET probe_by = NULL, probe_until = NULL,
             openings = CASE $3 WHEN 'closed' THEN 0 WHEN 'opened' THEN openings + 1 ELSE openings END,
             open_until = CASE $3 WHEN 'closed' THEN NULL WHEN 'opened' THEN now() + $4::float8 * interval '1 ms'
               ELSE open_until END
           WHERE target_id = $1 AND probe_by = $2`,
    values: [targetId, workerId, result.kind, result.kind === "opened" ? result.openMs : null],
  });
  return rowCount === 1;
}

/** How long ago the attempts of a target succeeded and failed since the last tally, in milliseconds. */
export interface HealthFigures {
  targetId: string;
  lastSuccessMs: number | undefined;
  lastFailureMs: number | undefined;
  /** The age of the first failure after the last success. */
  failingForMs: number | undefined;
}

/**
 * Writes tallies. A target that got no attempt for `silenceMs` did not fail in that time, so that its time of failing
 * starts again.
 */
export async function writeTallies(db: Database, tallies: readonly HealthFigures[], silenceMs: number): Promise<void> {
  await db.pool.query({
    name: "write-tallies",
    text: `INSERT INTO target_health AS h (target_id, last_success_at, last_failure_at, failing_since)
           SELECT target_id, now() - success_ms * interval '1 ms', now() - failure_ms * interval '1 ms',
             now() - failing_ms * interval '1 ms'
           FROM unnest($1::uuid[], $2::float8[], $3::float8[], $4::float8[])
             AS t(target_id, success_ms, failure_ms, failing_ms)
           WHERE EXISTS (SELECT FROM targets WHERE id = target_id)
           ORDER BY target_id
           ON CONFLICT (target_id) DO UPDATE SET
             last_success_at = greatest(h.last_success_at, excluded.last_success_at),
             last_failure_at = greatest(h.last_failure_at, excluded.last_failure_at),
             failing_since = CASE
               WHEN excluded.last_success_at >= h.failing_since
                 OR excluded.last_failure_at - h.last_failure_at > $5::float8 * interval '1 ms'
               THEN excluded.failing_since
               ELSE coalesce(h.failing_since, excluded.failing_since)
             END`,
    values: [
      tallies.map(({ targetId }) => targetId),
      tallies.map(({ lastSuccessMs }) => lastSuccessMs ?? null),
      tallies.map(({ lastFailureMs }) => lastFailureMs ?? null),
      tallies.map(({ failingForMs }) => failingForMs ?? null),
      silenceMs,
    ],
  });
}

/**
 * Disables an enabled target that answered 410 and holds its pending deliveries. Leaves the target alone if it was
 * changed after the attempt began, `attemptMs` ago: its operator has probably repaired it.
 * @returns whether this call disabled it.
 */
export async function disableGone(db: Database, targetId: string, attemptMs: number): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: "disable-gone",
    text: `UPDATE targets SET state = 'disabled', state_reason = 'The target answered 410 Gone',
             state_changed_at = now(), updated_at = now()
           WHERE id = $1 AND state = 'enabled' AND updated_at <= now() - $2::float8 * interval '1 ms'`,
    values: [targetId, attemptMs],
  });
  return rowCount === 1;
}

/**
 * Disables the enabled ones of these targets whose every attempt has failed for `afterMs`. Call it only when there is
 * probably one: a statement that changes no target still makes every process load all targets again.
 * @returns the ids of the targets that it disabled.
 */
export async function disableFailing(db: Database, targetIds: readonly string[], afterMs: number): Promise<string[]> {
  const { rows } = await db.pool.query<{ id: string }>({
    name: "disable-failing",
    text: `UPDATE targets t SET state = 'disabled_due_to_failed_deliveries', state_changed_at = now(), updated_at = now(),
             state_reason = 'Every attempt failed since '
               || to_char(h.failing_since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
           FROM target_health h
           WHERE t.id = ANY($1::uuid[]) AND t.state = 'enabled' AND h.target_id = t.id
             AND h.failing_since <= now() - $2::float8 * interval '1 ms'
           RETURNING t.id`,
    values: [targetIds, afterMs],
  });
  return rows.map(({ id }) => id);
}
