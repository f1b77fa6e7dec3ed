// Who reads the jobs of a key: one worker at a time, by a claim that ends by itself. A turn that a killed worker leaves is
// taken over by another one.

import { eq, inArray, type SQL, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";

import type { Connection, Database } from "../connection/database.ts";
import { jobReaders, jobSources } from "../schema.ts";

export type JobReader = typeof jobReaders.$inferSelect;

/** By PostgreSQL's clock at the claim. */
export interface ClaimedReader extends JobReader {
  /** As PostgreSQL writes it. */
  claimedAt: string;
  /** Gemini is not to be asked yet. */
  isPaused: boolean;
  isListDue: boolean;
  isFullListDue: boolean;
}

const isPast = (column: PgColumn) => sql<boolean>`${column} <= now()`;

/** Whether anything is to be reconciled at all. Every worker asks this all the time, so it MUST stay cheap. */
export async function usesReconciliation(db: Database): Promise<boolean> {
  const { rows } = await db.pool.query<{ uses: boolean }>({
    name: "uses-reconciliation",
    text: `SELECT EXISTS (SELECT FROM reconciliations WHERE enabled)
             OR EXISTS (SELECT FROM jobs WHERE status IN ('waiting', 'overdue')) AS uses`,
  });
  return rows[0]?.uses === true;
}

/** The sources that have jobs to wait for. */
export async function listSourcesWithOpenJobs(db: Database): Promise<Set<string>> {
  const { rows } = await db.pool.query<{ source_id: string }>({
    name: "sources-with-open-jobs",
    text: `SELECT id AS source_id FROM sources
           WHERE EXISTS (SELECT FROM jobs WHERE source_id = sources.id AND status IN ('waiting', 'overdue'))`,
  });
  return new Set(rows.map((row) => row.source_id));
}

/**
 * Claims the reader of a key whose turn it is.
 * @returns undefined when it is the turn of none, or other workers have them.
 */
export async function claimJobReader(
  db: Database,
  keyIds: readonly string[],
  workerId: string,
  leaseMs: number,
): Promise<ClaimedReader | undefined> {
  await db.pool.query({
    name: "make-job-readers",
    text: "INSERT INTO job_readers (key_id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
    values: [keyIds],
  });
  return db.orm.transaction(async (tx) => {
    const [due] = await tx
      .select({
        keyId: jobReaders.keyId,
        isPaused: sql<boolean>`coalesce(${jobReaders.pausedUntil} > now(), false)`,
        claimedAt: sql<string>`now()::text`,
        isListDue: isPast(jobReaders.nextListAt),
        isFullListDue: isPast(jobReaders.nextFullListAt),
      })
      .from(jobReaders)
      .where(
        sql`${inArray(jobReaders.keyId, [...keyIds])} AND ${jobReaders.nextTurnAt} <= now()
          AND (${jobReaders.claimedUntil} IS NULL OR ${jobReaders.claimedUntil} < now())`,
      )
      .orderBy(jobReaders.nextTurnAt)
      .limit(1)
      .for("update", { skipLocked: true });
    if (due === undefined) return undefined;
    const [claimed] = await tx
      .update(jobReaders)
      .set({ claimedBy: workerId, claimedUntil: inMs(leaseMs) })
      .where(eq(jobReaders.keyId, due.keyId))
      .returning();
    return claimed === undefined ? undefined : { ...claimed, ...due };
  });
}

export type ReaderChange = { [Column in keyof JobReader]?: JobReader[Column] | SQL };

/** Writes how far a turn is, and renews its claim. @returns false when another worker has taken over. */
export async function keepJobReader(
  db: Database,
  keyId: string,
  workerId: string,
  leaseMs: number,
  change: ReaderChange = {},
): Promise<boolean> {
  const { rowCount } = await db.orm
    .update(jobReaders)
    .set({ ...change, claimedUntil: inMs(leaseMs) })
    .where(sql`${jobReaders.keyId} = ${keyId} AND ${jobReaders.claimedBy} = ${workerId}`);
  return rowCount === 1;
}

/** Ends a turn, and lets the next one begin after a time. */
export async function endJobTurn(
  db: Database,
  keyId: string,
  workerId: string,
  nextInMs: number,
  change: ReaderChange = {},
): Promise<void> {
  await db.orm
    .update(jobReaders)
    .set({ ...change, claimedBy: null, claimedUntil: null, nextTurnAt: inMs(nextInMs) })
    .where(sql`${jobReaders.keyId} = ${keyId} AND ${jobReaders.claimedBy} = ${workerId}`);
}

/**
 * What a look at the list has reached. A call of {@link reconcileNow} that came meanwhile stays: it asks for a look that begins
 * after it.
 * @param walk where the walk of the list stands; `whole` when it came to its end.
 */
export function afterList(
  { listSince }: JobReader,
  walk: { kind: "whole" | "known" } | { kind: "unfinished"; pageToken: string },
  { nextInMs, nextFullInMs }: { nextInMs: number; nextFullInMs: number },
): ReaderChange {
  const isSame = sql`${jobReaders.listSince} IS NOT DISTINCT FROM ${listSince?.toISOString() ?? null}::timestamptz`;
  const unlessAsked = (column: PgColumn, value: SQL) => sql`CASE WHEN ${isSame} THEN ${value} ELSE ${column} END`;
  return {
    listedAt: inMs(0),
    nextListAt: unlessAsked(jobReaders.nextListAt, inMs(nextInMs)),
    pageToken: unlessAsked(jobReaders.pageToken, sql`${walk.kind === "unfinished" ? walk.pageToken : null}::text`),
    ...(walk.kind === "whole" && {
      nextFullListAt: unlessAsked(jobReaders.nextFullListAt, inMs(nextFullInMs)),
      listSince: unlessAsked(jobReaders.listSince, sql`NULL::timestamptz`),
    }),
  };
}

/** A time from now on, by PostgreSQL's clock. */
export const inMs = (ms: number): SQL => sql`clock_timestamp() + ${ms}::float8 * interval '1 ms'`;

/**
 * Has the whole list of a source's key read again as soon as possible, down to an instant: `heal` calls it when webhooks may
 * have been lost meanwhile. Does nothing for a source that is not reconciled.
 * @param sinceMs milliseconds since 1970.
 */
export async function reconcileNow(on: Connection, sourceId: string, sinceMs: number): Promise<void> {
  const keyId = sql`(SELECT ${jobSources.keyId} FROM ${jobSources} WHERE ${jobSources.sourceId} = ${sourceId})`;
  await on.orm
    .update(jobReaders)
    .set({
      nextTurnAt: sql`now()`,
      nextListAt: sql`now()`,
      nextFullListAt: sql`now()`,
      pageToken: null,
      // PostgreSQL's least() leaves out a null.
      listSince: sql`least(${jobReaders.listSince}, ${new Date(sinceMs).toISOString()}::timestamptz)`,
    })
    .where(sql`${jobReaders.keyId} = ${keyId}`);
}

export async function listJobReaders(on: Connection): Promise<Map<string, JobReader>> {
  const rows = await on.orm.select().from(jobReaders);
  return new Map(rows.map((row) => [row.keyId, row]));
}
