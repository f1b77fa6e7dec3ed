// The steps that end the wait for a job. Each is one transaction, in which the row is locked and the event is stored, so that a
// worker that is killed leaves either both or none.

import { createHash } from "node:crypto";

import { eq, sql } from "drizzle-orm";

import { formatId, idTime, newId } from "@sluice/shared/domain/ids";
import { bareJobId, findJobEnd, type JobReading } from "@sluice/shared/domain/job-ends";

import type { Connection, Database } from "../connection/database.ts";
import { withPartitions } from "../connection/partitions.ts";
import { storeOperationalEvent } from "../delivery/relay-event.ts";
import { RECONCILED_SCHEME } from "../delivery/event-schemes.ts";
import type { NewEvent } from "../delivery/store-events.ts";
import { storeMatched } from "../delivery/store-matched.ts";
import { jobs } from "../schema.ts";
import { isOpen, type JobRecord, lockJob, startOfJob } from "./jobs.ts";
import { claimJobEnd, type EndEvent, findEndEvents, releaseJobEnd } from "./jobs-ends.ts";
import { inMs } from "./jobs-readers.ts";

/** What became of a job. The lanes of the targets are to be woken. */
export type ConcludedJob =
  /** The relay made the event of the job, or told of an end that has no event. */
  | { kind: "reconciled"; targetIds: string[] }
  /** The event had come. */
  | { kind: "seen" }
  /** Another worker was faster. */
  | { kind: "closed" };

/** A job with the sources by which its event may come: those that share its key. */
export interface JobOfKey {
  job: JobRecord;
  sourceIds: readonly string[];
  sourceName: string;
}

/** Makes the event of a job that has ended, unless its webhook has come. */
export async function concludeJob(
  db: Database,
  { job: found, sourceIds, sourceName }: JobOfKey,
): Promise<ConcludedJob> {
  const eventId = newId();
  return withPartitions(db, [eventId], () =>
    db.orm.transaction(async (orm): Promise<ConcludedJob> => {
      const tx = { orm };
      const job = await lockJob(tx, found.id);
      if (job === undefined || !isOpen(job)) return { kind: "closed" };
      const { name, state } = job;
      const end = state === null ? undefined : findJobEnd(job.kind, state);
      if (name === null || state === null || end === undefined) throw new Error("A job was concluded before its end");
      const jobEnd = { jobId: bareJobId(name), type: end.type ?? "" };
      // First the claim, and then the look at the log: whoever stores the webhook after the look finds the claim.
      const earlier = end.type === null ? undefined : await claimJobEnd(tx, sourceIds, jobEnd, eventId);
      const seen = (await findEndEvents(tx, sourceIds, [{ kind: job.kind, name, sinceMs: startOfJob(job) }])).get(name);
      if (earlier !== undefined || seen !== undefined) {
        await releaseJobEnd(tx, sourceIds, jobEnd, eventId);
        await markJobSeen(tx, job, seen ?? { eventId: earlier ?? "", state });
        return { kind: "seen" };
      }
      if (end.type === null) {
        const targetIds = await storeOperationalEvent(tx, "sluice.job.ended", { ...describeJob(job), state });
        await close(tx, job, { status: "reconciled" });
        return { kind: "reconciled", targetIds };
      }
      const stored = await storeMatched(tx, toReconciledEvent(job, name, state, end.type, eventId), sourceName);
      if (stored.kind === "duplicate") {
        // The relay made this event before, and its row was deleted since.
        await releaseJobEnd(tx, sourceIds, jobEnd, eventId);
        await close(tx, job, { status: "reconciled", eventId: stored.eventId });
        return { kind: "closed" };
      }
      await close(tx, job, { status: "reconciled", eventId });
      return { kind: "reconciled", targetIds: stored.targetIds };
    }),
  );
}

/**
 * In the payload's own form, so that receivers need no other parser. The id follows from the job and its end, so that it is the
 * same whoever makes the event.
 */
function toReconciledEvent(job: JobRecord, name: string, state: string, type: string, id: string): NewEvent {
  const dataId = bareJobId(name);
  const occurredAt = job.endedAt ?? new Date();
  const payload = { type, version: "v1", timestamp: occurredAt.toISOString(), data: { id: dataId, ...job.endData } };
  const digest = createHash("sha256")
    .update(JSON.stringify([job.kind, name, state]))
    .digest("hex");
  return {
    id,
    sourceId: job.sourceId,
    webhookId: `reconciled_${digest.slice(0, 32)}`,
    type,
    occurredAtMs: occurredAt.getTime(),
    // Not the present: the id was made before the locks, and the log finds an event by both times.
    receivedAtMs: idTime(id),
    scheme: RECONCILED_SCHEME,
    userMetadata: null,
    contentType: "application/json",
    contentEncoding: null,
    body: Buffer.from(JSON.stringify(payload)),
    labels: job.labels,
    filterErrors: null,
    bodyUnbound: false,
    dataId,
    token: null,
  };
}

/** Tells once that a job runs for longer than expected. @returns the targets to wake. */
export async function markJobOverdue(
  db: Database,
  { job: found }: JobOfKey,
  { state, problem, againMs }: { state: string | null; problem: string | null; againMs: number },
): Promise<string[]> {
  return withPartitions(db, [newId()], () =>
    db.orm.transaction(async (orm) => {
      const tx = { orm };
      const job = await lockJob(tx, found.id);
      if (job === undefined || !isOpen(job)) return [];
      const targetIds =
        job.status === "overdue"
          ? []
          : await storeOperationalEvent(tx, "sluice.job.overdue", {
              ...describeJob(job),
              state,
              expected_at: job.expectedAt.toISOString(),
            });
      await orm
        .update(jobs)
        .set({ status: "overdue", state, problem, checkedAt: sql`now()`, nextCheckAt: inMs(againMs) })
        .where(eq(jobs.id, job.id));
      return targetIds;
    }),
  );
}

/** Gives up a job that Gemini does not know any more, and tells of it. @returns the targets to wake. */
export async function failJob(db: Database, { job: found }: JobOfKey, problem: string): Promise<string[]> {
  return withPartitions(db, [newId()], () =>
    db.orm.transaction(async (orm) => {
      const tx = { orm };
      const job = await lockJob(tx, found.id);
      if (job === undefined || !isOpen(job)) return [];
      const told = { ...describeJob(job), state: "not_found", problem };
      const targetIds = await storeOperationalEvent(tx, "sluice.job.ended", told);
      await close(tx, job, { status: "failed", problem });
      return targetIds;
    }),
  );
}

/** Writes down what Gemini said about a job: that it runs, or how it ended. */
export async function noteJobReading(
  db: Database,
  job: JobRecord,
  reading: JobReading & { endedAtMs: number | undefined },
  againMs: number,
): Promise<void> {
  await db.orm
    .update(jobs)
    .set({
      state: reading.state,
      ...(reading.startedAtMs !== undefined && { startedAt: new Date(reading.startedAtMs) }),
      ...(reading.endedAtMs !== undefined && { endedAt: new Date(reading.endedAtMs), endData: reading.data }),
      problem: null,
      checkedAt: sql`now()`,
      nextCheckAt: inMs(againMs),
    })
    .where(sql`${jobs.id} = ${job.id} AND ${jobs.status} IN ('waiting', 'overdue')`);
}

/** Ends the wait for a job whose event is in the log. */
export async function markJobSeen(on: Connection, { id }: JobRecord, { eventId, state }: EndEvent): Promise<void> {
  await on.orm
    .update(jobs)
    .set({ status: "seen", eventId, state, problem: null, checkedAt: sql`now()`, nextCheckAt: null })
    .where(sql`${jobs.id} = ${id} AND ${jobs.status} IN ('waiting', 'overdue')`);
}

type Closing = { status: "reconciled"; eventId?: string } | { status: "failed"; problem: string };

async function close(tx: Connection, { id }: JobRecord, closing: Closing): Promise<void> {
  await tx.orm
    .update(jobs)
    .set({ problem: null, ...closing, checkedAt: sql`now()`, nextCheckAt: null })
    .where(eq(jobs.id, id));
}

/** What the relay's own events say about a job. */
function describeJob({ id, sourceId, kind, name, labels, endedAt }: JobRecord) {
  return {
    id: formatId("job", id),
    kind,
    name,
    source: formatId("src", sourceId),
    labels: labels ?? {},
    ended_at: endedAt?.toISOString() ?? null,
  };
}

/** The open jobs of these sources that are to be looked at now, the most urgent first. */
export async function listDueJobs(db: Database, sourceIds: readonly string[], limit: number): Promise<JobRecord[]> {
  return db.orm
    .select()
    .from(jobs)
    .where(
      sql`${jobs.sourceId} = ANY(${sql.param([...sourceIds])}::uuid[]) AND ${jobs.status} IN ('waiting', 'overdue')
        AND ${jobs.nextCheckAt} <= now()`,
    )
    .orderBy(jobs.nextCheckAt)
    .limit(limit);
}

/** How many batches run, as far as is known, and were not looked at since an instant of PostgreSQL's clock. */
export async function countStaleBatches(db: Database, sourceIds: readonly string[], since: string): Promise<number> {
  const { rows } = await db.pool.query<{ count: number }>({
    name: "count-stale-batches",
    text: `SELECT count(*)::int AS count FROM jobs
           WHERE source_id = ANY($1::uuid[]) AND status IN ('waiting', 'overdue') AND kind = 'batch'
             AND ended_at IS NULL AND checked_at < $2::timestamptz`,
    values: [sourceIds, since],
  });
  return rows[0]?.count ?? 0;
}
