// The search for targets that have something due, which one worker makes for all workers. Its cost follows what is not
// finished, and not the number of targets: it walks the index of the pending deliveries and jumps from target to
// target.

import type { Database } from "../connection/database.ts";

/**
 * So many deliveries are read at once. Each read begins with a look-up in every partition. With one delivery for each
 * read, thousands of targets with something pending would cost as many of these look-ups.
 */
const CHUNK = 512;

// The first delivery of a target in the index is the one that has been due for longest, and says whether any is due. A
// chunk may end within the deliveries of a target. That target is seen then, and the next chunk begins after it,
// however many deliveries it has. MUST read no column beside those of the index `deliveries_due`, and no range of ids:
// the planner would take another index, in which the finished deliveries are too.
const FIND = `
WITH RECURSIVE steps (last, due) AS (
  SELECT '00000000-0000-0000-0000-000000000000'::uuid, '{}'::uuid[]
  UNION ALL
  SELECT step.last, step.due FROM steps, LATERAL (
    SELECT (array_agg(target_id))[count(*)] AS last, array_agg(target_id) FILTER (WHERE next_attempt_at <= now()) AS due
    FROM (
      SELECT target_id, next_attempt_at FROM deliveries
      WHERE next_attempt_at IS NOT NULL AND target_id > steps.last
      ORDER BY target_id, next_attempt_at LIMIT ${CHUNK}
    ) AS chunk
    HAVING count(*) > 0
  ) AS step
),
found AS (SELECT DISTINCT unnest(due) AS target_id FROM steps)
SELECT t.id FROM found JOIN targets t ON t.id = found.target_id
WHERE t.state = 'enabled' AND t.kind <> 'pull' AND NOT EXISTS (SELECT FROM target_health h WHERE h.target_id = t.id AND h.openings > 0)`;

/**
 * The ids of the enabled targets that have deliveries which are due and in nobody's hands. Leaves out targets whose
 * breaker is open: a worker that watches the breakers wakes those for a probe. No worker sends to pull targets.
 */
export async function listTargetsWithDue(db: Database): Promise<string[]> {
  const { rows } = await db.pool.query<{ id: string }>({ name: "targets-with-due", text: FIND });
  return rows.map((row) => row.id);
}

/** The last search, as one worker has to know it. */
export interface SweepTurn {
  /** Whether this worker makes the next search now: MUST be followed by `shareDue`. */
  isOwn: boolean;
  number: bigint;
  /** What the last search found; empty when the worker knows it. */
  targetIds: string[];
}

/**
 * Takes the turn of the next search when the last one began long enough ago, and reads what it found.
 * @param known the number of the result that the worker has.
 */
export async function takeSweepTurn(db: Database, known: bigint, everyMs: number): Promise<SweepTurn> {
  const { rows } = await db.pool.query<{ is_own: boolean; number: string; target_ids: string[] | null }>({
    name: "sweep-turn",
    text: `WITH taken AS (
             UPDATE sweep SET begun_at = now() WHERE begun_at <= now() - $2::float8 * interval '1 ms' RETURNING singleton
           )
           SELECT EXISTS (SELECT FROM taken) AS is_own, number, CASE WHEN number <> $1 THEN target_ids END AS target_ids
           FROM sweep`,
    values: [String(known), everyMs],
  });
  const [row] = rows;
  if (row === undefined) return { isOwn: true, number: known, targetIds: [] };
  return { isOwn: row.is_own, number: BigInt(row.number), targetIds: row.target_ids ?? [] };
}

/**
 * Gives what a search found to all workers, and keeps the turn. Writes nothing when this search and the last found
 * nothing.
 * @returns the number of the result.
 */
export async function shareDue(db: Database, targetIds: readonly string[]): Promise<bigint | undefined> {
  const { rows } = await db.pool.query<{ number: string }>({
    name: "share-due",
    text: `UPDATE sweep SET begun_at = now(), number = number + 1, target_ids = $1
           WHERE target_ids <> '{}' OR $1::uuid[] <> '{}' RETURNING number`,
    values: [targetIds],
  });
  return rows[0] === undefined ? undefined : BigInt(rows[0].number);
}
