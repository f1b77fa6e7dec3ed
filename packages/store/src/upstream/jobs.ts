// Jobs at Gemini that the relay knows: found in a list, or announced by a caller. A row is `waiting` until an event tells of
// the end (`seen`), or the relay makes that event (`reconciled`). It is `overdue` while the job runs for longer than
// expected, and `failed` when Gemini does not know the job any more.

import { and, desc, eq, inArray, type SQL, sql } from "drizzle-orm";

import { idFloor, idTime, newId } from "@sluice/shared/domain/ids";
import { bareJobId, type GeminiJobKind } from "@sluice/shared/domain/job-ends";

import type { Connection, Database } from "../connection/database.ts";
import { pruneBatches } from "../connection/prune-batches.ts";
import { type Page, withinPage } from "../log/page.ts";
import { jobs, type JobStatus } from "../schema.ts";

export type JobRecord = typeof jobs.$inferSelect;

/** The states in which the relay still waits for the end of a job. */
export const OPEN_JOB_STATUSES = ["waiting", "overdue"] as const satisfies JobStatus[];

/** A job that a caller says to wait for. */
export interface ExpectedJob {
  sourceId: string;
  kind: GeminiJobKind;
  /** Null until the caller knows it: a callback URL is made before its job. */
  name: string | null;
  labels: Record<string, string> | null;
  expectedAtMs: number;
}

export type ExpectJobResult =
  | { kind: "created"; job: JobRecord }
  /** The relay knew the job already, such as from a list. */
  | { kind: "updated"; before: JobRecord; job: JobRecord }
  /** The job has ended; nothing was changed. */
  | { kind: "finished"; job: JobRecord };

/** @param id of a new job. */
export async function expectJob(tx: Connection, expected: ExpectedJob, id: string = newId()): Promise<ExpectJobResult> {
  const { sourceId, kind, name, labels } = expected;
  const expectedAt = new Date(expected.expectedAtMs);
  // Nothing is asked of Gemini before the job is expected to have ended.
  const fields = { labels, expectedAt, nextCheckAt: expectedAt };
  const inserted = await tx.orm
    .insert(jobs)
    .values({ id, sourceId, kind, name, jobId: name === null ? null : bareJobId(name), ...fields })
    .onConflictDoNothing()
    .returning();
  if (inserted[0] !== undefined) return { kind: "created", job: inserted[0] };
  const isSame = and(eq(jobs.sourceId, sourceId), eq(jobs.kind, kind), eq(jobs.name, name ?? ""));
  const [before] = await tx.orm.select().from(jobs).where(isSame).for("update");
  if (before === undefined) throw new Error("A job was deleted while it was announced");
  if (!isOpen(before)) return { kind: "finished", job: before };
  const earliest = sql`least(${jobs.nextCheckAt}, ${expectedAt.toISOString()}::timestamptz)`;
  const [job = before] = await tx.orm
    .update(jobs)
    .set({ ...fields, nextCheckAt: earliest })
    .where(eq(jobs.id, before.id))
    .returning();
  return { kind: "updated", before, job };
}

export const isOpen = ({ status }: JobRecord): boolean => (OPEN_JOB_STATUSES as readonly JobStatus[]).includes(status);

/** A job is announced while it runs, or within some days after: its results are gone after two. */
const ANNOUNCED_WITHIN_MS = 7 * 86_400_000;

/** No event of the job is older, milliseconds since 1970. */
export function startOfJob({ id, startedAt }: JobRecord): number {
  return startedAt?.getTime() ?? idTime(id) - ANNOUNCED_WITHIN_MS;
}

export async function getJob(on: Connection, id: string): Promise<JobRecord | undefined> {
  return (await on.orm.select().from(jobs).where(eq(jobs.id, id)))[0];
}

/** Reads a job and locks it until the transaction ends. */
export async function lockJob(tx: Connection, id: string): Promise<JobRecord | undefined> {
  return (await tx.orm.select().from(jobs).where(eq(jobs.id, id)).for("update"))[0];
}

export type NameJobResult = { kind: "named"; job: JobRecord } | { kind: "name_taken" };

/** Gives the name to a job that has none. MUST run in the transaction that locked it. */
export async function nameJob(tx: Connection, { id, sourceId, kind }: JobRecord, name: string): Promise<NameJobResult> {
  const [other] = await tx.orm
    .select({ id: jobs.id })
    .from(jobs)
    .where(and(eq(jobs.sourceId, sourceId), eq(jobs.kind, kind), eq(jobs.name, name)));
  if (other !== undefined) return { kind: "name_taken" };
  const [job] = await tx.orm
    .update(jobs)
    .set({ name, jobId: bareJobId(name) })
    .where(eq(jobs.id, id))
    .returning();
  if (job === undefined) throw new Error("A job that is locked was deleted");
  return { kind: "named", job };
}

export interface JobFilter {
  statuses?: readonly JobStatus[] | undefined;
  kind?: GeminiJobKind | undefined;
  sourceId?: string | undefined;
  /** Any of these names. */
  names?: readonly string[] | undefined;
}

/** Newest first. */
export async function listJobs(db: Connection, filter: JobFilter, page: Page): Promise<JobRecord[]> {
  const { statuses, kind, sourceId, names } = filter;
  const conditions: (SQL | undefined)[] = [
    withinPage(jobs.id, page),
    statuses === undefined ? undefined : inArray(jobs.status, [...statuses]),
    kind === undefined ? undefined : eq(jobs.kind, kind),
    sourceId === undefined ? undefined : eq(jobs.sourceId, sourceId),
    names === undefined ? undefined : inArray(jobs.name, [...names]),
  ];
  return db.orm
    .select()
    .from(jobs)
    .where(and(...conditions))
    .orderBy(desc(jobs.id))
    .limit(page.limit);
}

/** How many jobs the relay waits for. */
export async function countOpenJobs(db: Database): Promise<Record<(typeof OPEN_JOB_STATUSES)[number], number>> {
  const { rows } = await db.pool.query<{ waiting: number; overdue: number }>(
    `SELECT count(*) FILTER (WHERE status = 'waiting')::int AS waiting,
       count(*) FILTER (WHERE status = 'overdue')::int AS overdue
     FROM jobs WHERE status IN ('waiting', 'overdue')`,
  );
  return rows[0] ?? { waiting: 0, overdue: 0 };
}

/** Deletes the jobs that became known before an instant. @returns how many. */
export async function pruneJobs(db: Database, beforeMs: number): Promise<number> {
  return pruneBatches(db, "jobs", "id < $1", [idFloor(beforeMs)]);
}
