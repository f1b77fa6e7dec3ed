// What the processes of the relay lack. Each process writes down its own problems, as its readiness finds them, and one worker
// tells of them for the whole relay. A process without problems writes nothing.

import { type Connection, type Database, runPrepared } from "../connection/database.ts";
import type { Told } from "./told.ts";
import { inUtc, RELAY } from "./types.ts";

const DEGRADED = "sluice.relay.degraded";
const RECOVERED = "sluice.relay.recovered";

/** How often a process writes its problems. */
export const REPORT_EVERY_MS = 10_000;
/** A process that says nothing for so long is gone, or has no problem any more that it could write. */
const STALE = "40 seconds";

export interface ProcessProblem {
  /** The check of /readyz. */
  name: string;
  problem: string;
}

/** Replaces the problems of a process. */
export async function writeProblems(
  db: Database,
  { processId, app }: { processId: string; app: string },
  problems: readonly ProcessProblem[],
): Promise<void> {
  await db.pool.query({
    name: "write-problems",
    text: `WITH gone AS (DELETE FROM process_problems WHERE process_id = $1 AND name <> ALL ($3::text[]))
           INSERT INTO process_problems (process_id, app, name, problem)
           SELECT $1, $2, name, problem FROM unnest($3::text[], $4::text[]) AS t(name, problem)
           ON CONFLICT (process_id, name) DO UPDATE SET problem = excluded.problem, seen_at = now()`,
    values: [processId, app, problems.map(({ name }) => name), problems.map(({ problem }) => problem)],
  });
}

/** A problem that processes of one kind have now. */
export interface ListedProblem extends ProcessProblem {
  app: "gateway" | "worker";
  since: Date;
}

export async function listProblems(db: Database): Promise<ListedProblem[]> {
  const { rows } = await db.pool.query<ListedProblem>(
    `SELECT app, name, min(problem) AS problem, min(since) AS since FROM process_problems
     WHERE seen_at >= now() - interval '${STALE}' GROUP BY app, name ORDER BY app, name`,
  );
  return rows;
}

interface ProblemRow extends Record<string, unknown> {
  app: string;
  name: string;
  problem: string;
  processes: number;
  since: string;
  has_lasted: boolean;
}

/** @param afterSeconds how long a problem must last before it is told. */
export async function tellProblems(tx: Connection, told: Told, afterSeconds: number): Promise<void> {
  await runPrepared(tx, {
    name: "forget-problems",
    text: `DELETE FROM process_problems WHERE seen_at < now() - interval '${STALE}'`,
    values: [],
  });
  const rows = await runPrepared<ProblemRow>(tx, {
    name: "read-problems",
    text: `SELECT app, name, min(problem) AS problem, count(*)::int AS processes, ${inUtc("min(since)")} AS since,
             min(since) <= now() - $1::float8 * interval '1 s' AS has_lasted
           FROM process_problems GROUP BY app, name ORDER BY app, name`,
    values: [afterSeconds],
  });
  const lasting = rows.filter((row) => row.has_lasted);
  const since = told.since(DEGRADED, RELAY);
  if (lasting.length > 0) {
    const problems = lasting.map(({ app, name, problem, processes, since: began }) => {
      return { app, check: name, problem, processes, since: began };
    });
    const [first] = lasting.map((row) => row.since).toSorted();
    await told.begin(tx, DEGRADED, RELAY, first ?? null, { id: RELAY, problems });
  } else if (rows.length === 0 && told.isOpen(DEGRADED, RELAY)) {
    await told.end(tx, RECOVERED, RELAY, [DEGRADED], { id: RELAY, degraded_since: since });
  }
}
