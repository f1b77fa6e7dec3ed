// The ledger of the ends of jobs: which event told of each. Intake enters the events of the sources in `job_sources` by the
// statement that stores them (store-events.ts); the reconciler enters its own before it makes them. The primary key lets
// one of the two win.

import { idFloor, idTime } from "@sluice/shared/domain/ids";
import {
  dataIdsOfJob,
  GEMINI_JOB_KINDS,
  type GeminiJobKind,
  type JobEnd,
  readJobEnd,
  typesOfEnds,
} from "@sluice/shared/domain/job-ends";

import { type Connection, type Database, runPrepared } from "../connection/database.ts";
import { pruneBatches } from "../connection/prune-batches.ts";

/** How long a worker may go by an earlier look at whether `job_sources` has any row. */
export const JOB_SOURCES_FOR_MS = 20_000;
/**
 * How long a source must have been in `job_sources` before the relay makes events for it. A statement of intake that began
 * before does not enter its events. PostgreSQL cancels a statement after 60 seconds (`open-pool.ts`), and a worker may begin
 * one by what it looked up {@link JOB_SOURCES_FOR_MS} before.
 */
const REST_SECONDS = 90;
/** As the ledger of webhook ids: we know no sender that retries for longer than a week. */
const KEPT_DAYS = 7;

/**
 * Has intake enter the events of these sources from now on.
 * @param keyId the key that they share.
 * @returns whether it has done so for long enough.
 */
export async function wantJobEnds(db: Database, keyId: string, sourceIds: readonly string[]): Promise<boolean> {
  const { rows } = await db.pool.query<{ rested: boolean }>(
    `WITH wanted AS (
       INSERT INTO job_sources AS known (source_id, key_id) SELECT id, $1 FROM unnest($2::uuid[]) AS id
       ON CONFLICT (source_id) DO UPDATE SET key_id = excluded.key_id, wanted_at = now()
       WHERE known.key_id <> excluded.key_id OR known.wanted_at < now() - interval '1 hour'
     )
     SELECT count(*) = $3 AS rested FROM job_sources
     WHERE source_id = ANY($2::uuid[]) AND since < now() - $4 * interval '1 s'`,
    [keyId, sourceIds, sourceIds.length, REST_SECONDS],
  );
  return rows[0]?.rested === true;
}

/** Whether intake has to enter the events of any source. */
export async function hasJobSources(db: Database): Promise<boolean> {
  const { rowCount } = await db.pool.query({ name: "has-job-sources", text: "SELECT FROM job_sources LIMIT 1" });
  return rowCount === 1;
}

/**
 * Enters an event as the one that tells of an end, for all sources by which its webhook may come.
 * @returns undefined; or the event that was entered before, and then nothing was entered.
 */
export async function claimJobEnd(
  tx: Connection,
  sourceIds: readonly string[],
  { jobId, type }: JobEnd,
  eventId: string,
): Promise<string | undefined> {
  const values = [[...sourceIds], jobId, type, eventId];
  const claimed = await runPrepared<{ source_id: string }>(tx, {
    name: "claim-job-end",
    // In the order of the keys, as intake does: two that enter the same ends wait for each other and do not deadlock. It waits
    // for an intake that is about to commit.
    text: `INSERT INTO job_ends (source_id, job_id, type, event_id, is_reconciled)
           SELECT id, $2, $3, $4, true FROM unnest($1::uuid[]) AS id ORDER BY id
           ON CONFLICT DO NOTHING RETURNING source_id`,
    values,
  });
  if (claimed.length === sourceIds.length) return undefined;
  const [earlier] = await runPrepared<{ event_id: string }>(tx, {
    name: "find-job-end",
    text: `SELECT event_id FROM job_ends WHERE source_id = ANY($1::uuid[]) AND job_id = $2 AND type = $3 AND event_id <> $4
           ORDER BY event_id LIMIT 1`,
    values,
  });
  await releaseJobEnd(tx, sourceIds, { jobId, type }, eventId);
  return earlier?.event_id;
}

/** Takes back a claim. MUST run in the transaction that made it. */
export async function releaseJobEnd(
  tx: Connection,
  sourceIds: readonly string[],
  { jobId, type }: JobEnd,
  eventId: string,
): Promise<void> {
  await runPrepared(tx, {
    name: "release-job-end",
    text: `DELETE FROM job_ends WHERE source_id = ANY($1::uuid[]) AND job_id = $2 AND type = $3 AND event_id = $4`,
    values: [[...sourceIds], jobId, type, eventId],
  });
}

/** A job as events tell of it. */
export interface NamedJob {
  kind: GeminiJobKind;
  name: string;
  /** No event of it can be older, milliseconds since 1970. */
  sinceMs: number;
}

export interface EndEvent {
  eventId: string;
  /** The part of the type behind the dot. */
  state: string;
}

/** Ids of events are compared with times that other machines made. */
const CLOCK_SKEW_MS = 3_600_000;

/**
 * Finds the events that tell of the ends of jobs, in the whole log. The ledger lacks those that came before their sources
 * were reconciled.
 * @returns by the names of the jobs; a job without an event is missing.
 */
export async function findEndEvents(
  on: Database | Connection,
  sourceIds: readonly string[],
  named: readonly NamedJob[],
): Promise<Map<string, EndEvent>> {
  const found = new Map<string, EndEvent>();
  if (named.length === 0) return found;
  const dataIds = new Set(named.flatMap(({ kind, name }) => dataIdsOfJob(kind, name)));
  const types = new Set(named.flatMap(({ kind }) => typesOfEnds(kind)));
  // Without it, PostgreSQL reads an index of every day of the log.
  const since = idFloor(Math.min(...named.map(({ sinceMs }) => sinceMs)) - CLOCK_SKEW_MS);
  const rows = await runPrepared<{ id: string; type: string; data_id: string }>(on, {
    name: "find-end-events",
    text: `SELECT id, type, data_id FROM events
           WHERE data_id = ANY($1::text[]) AND type = ANY($2::text[]) AND source_id = ANY($3::uuid[]) AND id >= $4
           ORDER BY id`,
    values: [[...dataIds], [...types], [...sourceIds], since],
  });
  for (const { kind, name } of named) {
    const ids = dataIdsOfJob(kind, name);
    const row = rows.find(({ type, data_id: dataId }) => ids.includes(dataId) && type.startsWith(`${kind}.`));
    const end = row === undefined ? null : readJobEnd(row.type, row.data_id);
    if (row !== undefined && end !== null) found.set(name, { eventId: row.id, state: stateOf(end.type) });
  }
  return found;
}

const stateOf = (type: string): string => type.slice(type.indexOf(".") + 1);

/** The label of a callback URL that was made for an announced job: its id, by which the job is found without its name. */
export const JOB_LABEL = "sluice_job";

/**
 * Marks the open jobs whose events have come as seen. A job without a name gets it from its event.
 * @param labelOf the value of {@link JOB_LABEL} for a job.
 * @returns how many.
 */
export async function settleSeenJobs(
  db: Database,
  sourceIds: readonly string[],
  labelOf: (id: string) => string,
): Promise<number> {
  const { rowCount: named } = await db.pool.query({
    name: "settle-seen-jobs",
    text: `UPDATE jobs SET status = 'seen', state = split_part(found.type, '.', 2), event_id = found.event_id,
             next_check_at = NULL, problem = NULL
           FROM (
             SELECT DISTINCT ON (j.id) j.id, e.event_id, e.type
             FROM jobs j JOIN job_ends e ON e.source_id = ANY($1::uuid[]) AND e.job_id = j.job_id
             WHERE j.source_id = ANY($1::uuid[]) AND j.status IN ('waiting', 'overdue') AND NOT e.is_reconciled
               AND starts_with(e.type, j.kind || '.')
             ORDER BY j.id, e.event_id
           ) AS found
           WHERE jobs.id = found.id AND jobs.status IN ('waiting', 'overdue')`,
    values: [sourceIds],
  });
  return (named ?? 0) + (await settleNamelessJobs(db, sourceIds, labelOf));
}

/** The most jobs without a name that one call looks for. */
const MAX_NAMELESS = 5_000;

async function settleNamelessJobs(
  db: Database,
  sourceIds: readonly string[],
  labelOf: (id: string) => string,
): Promise<number> {
  const { rows } = await db.pool.query<{ id: string }>({
    name: "list-nameless-jobs",
    text: `SELECT id FROM jobs WHERE source_id = ANY($1::uuid[]) AND status IN ('waiting', 'overdue') AND name IS NULL
           ORDER BY id LIMIT ${MAX_NAMELESS}`,
    values: [sourceIds],
  });
  if (rows.length === 0) return 0;
  const { rowCount } = await db.pool.query({
    name: "settle-nameless-jobs",
    // The event is newer than its job, so that only the latest partitions are read.
    text: `UPDATE jobs SET status = 'seen', state = split_part(found.type, '.', 2), event_id = found.event_id,
             next_check_at = NULL, problem = NULL, job_id = regexp_replace(found.data_id, '^.*/', '')
           FROM (
             SELECT DISTINCT ON (wanted.id) wanted.id, e.id AS event_id, e.type, e.data_id
             FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS wanted(id, label, since)
             JOIN jobs j ON j.id = wanted.id
             JOIN event_terms t ON t.term = event_term('label', $4, wanted.label) AND t.event_id >= wanted.since
             JOIN events e ON e.id = t.event_id
             WHERE e.labels ->> $4 = wanted.label AND e.type = ANY($5::text[]) AND starts_with(e.type, j.kind || '.')
             ORDER BY wanted.id, e.id
           ) AS found
           WHERE jobs.id = found.id AND jobs.status IN ('waiting', 'overdue')`,
    values: [
      rows.map(({ id }) => id),
      rows.map(({ id }) => labelOf(id)),
      rows.map(({ id }) => idFloor(idTime(id) - CLOCK_SKEW_MS)),
      JOB_LABEL,
      GEMINI_JOB_KINDS.flatMap(typesOfEnds),
    ],
  });
  return rowCount ?? 0;
}

/** Forgets sources that nobody reconciles any more, and ends that are old. @returns how many ends. */
export async function pruneJobEnds(db: Database): Promise<number> {
  await pruneBatches(db, "job_sources", `wanted_at < now() - interval '${KEPT_DAYS} days'`, []);
  return pruneBatches(db, "job_ends", "event_id < $1", [idFloor(Date.now() - KEPT_DAYS * 86_400_000)]);
}
