// Rejections: refused requests on known sources. During a flood only a sample of them is stored, and `weight` is the
// number of requests that a row stands for, so that sums stay true.

import { and, desc, eq, gt, gte, lt, max, sql } from "drizzle-orm";

import { idFloor, idTime } from "@sluice/shared/domain/ids";
import type { RefusalReason } from "@sluice/signature/refusal";

import type { Database } from "../connection/database.ts";
import { withPartitions } from "../connection/partitions.ts";
import { rejections } from "../schema.ts";
import { lateByTransaction } from "./late-rows.ts";
import { rejectionConditions, type RejectionFilter } from "./log-filter.ts";
import type { Page } from "./page.ts";
import { findPage, type LogPage } from "./records.ts";
import { rejectionWays } from "./search-ways.ts";
import type { Search } from "./search.ts";
import { shownAt } from "./shown-time.ts";

/** A rejection to be stored. The time in its id is the time at which the request was refused. */
export interface NewRejection {
  id: string;
  sourceId: string;
  reason: RefusalReason;
  detail: string;
  webhookId: string | null;
  remoteAddress: string | null;
  sizeBytes: number | null;
  weight: number;
}

export type RejectionRecord = typeof rejections.$inferSelect;

const INSERT = `
INSERT INTO rejections (id, source_id, reason, detail, webhook_id, remote_address, size_bytes, weight, created_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::int[],
  $9::timestamptz[])`;

/** Writes rejections in one statement, and makes the partitions that they need. */
export async function insertRejections(db: Database, rows: readonly NewRejection[]): Promise<void> {
  const statement = {
    name: "insert-rejections",
    text: INSERT,
    values: [
      rows.map((row) => row.id),
      rows.map((row) => row.sourceId),
      rows.map((row) => row.reason),
      rows.map((row) => row.detail),
      rows.map((row) => row.webhookId),
      rows.map((row) => row.remoteAddress),
      rows.map((row) => row.sizeBytes),
      rows.map((row) => row.weight),
      // Not now(), because rows wait before they are written.
      rows.map((row) => new Date(idTime(row.id)).toISOString()),
    ],
  };
  await withPartitions(
    db,
    rows.map((row) => row.id),
    () => db.pool.query(statement),
  );
}

/** Why a worker refused a webhook that the ingress had acknowledged; undefined when none did. */
export async function findLateRefusal(
  db: Database,
  sourceId: string,
  webhookId: string,
): Promise<Pick<RejectionRecord, "reason" | "detail"> | undefined> {
  const filter: RejectionFilter = { sourceId, webhookId, reasons: ["reconciled_before"] };
  const { rows } = await listRejections(db, filter, { limit: 1 });
  return rows[0];
}

export async function listRejections(
  db: Database,
  filter: RejectionFilter,
  page: Page,
): Promise<LogPage<RejectionRecord>> {
  const list: Search = {
    table: rejections,
    id: rejections.id,
    conditions: rejectionConditions(filter),
    ways: async () => rejectionWays(filter),
    shown: shownAt(rejections.createdAt),
    findLateRows: lateByTransaction(rejections, rejections.id),
  };
  return findPage(
    db,
    () => list,
    page,
    (isFound) => db.orm.select().from(rejections).where(isFound),
  );
}

export async function getRejection(db: Database, id: string): Promise<RejectionRecord | undefined> {
  return (await db.orm.select().from(rejections).where(eq(rejections.id, id)))[0];
}

/** The refused requests of one source for one reason. */
export interface RejectionCount {
  sourceId: string;
  reason: RefusalReason;
  /** Requests, not rows. */
  count: number;
  newestAt: Date;
}

interface CountedRange {
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
  /** The most rows that are read, the newest ones. */
  mostRows: number;
}

/**
 * Counts the refused requests that match a filter, by source and reason. However many were refused, it reads a bounded part
 * of an index.
 * @returns `countedToMs` is the time of the newest row that was not read, when there are more.
 */
export async function countRejections(
  db: Database,
  filter: RejectionFilter,
  { sinceMs, untilMs, mostRows }: CountedRange,
): Promise<{ counts: RejectionCount[]; countedToMs: number | undefined }> {
  const { sourceId, ...others } = filter;
  const range = and(
    sinceMs === undefined ? undefined : gte(rejections.id, idFloor(sinceMs)),
    untilMs === undefined ? undefined : lt(rejections.id, idFloor(untilMs)),
    ...rejectionConditions({ sourceId }).own,
  );
  const [tooMany] = await db.orm
    .select({ id: rejections.id })
    .from(rejections)
    .where(range)
    .orderBy(desc(rejections.id))
    .offset(mostRows)
    .limit(1);
  const total = sql<number>`sum(${rejections.weight})::float8`;
  const rows = await db.orm
    .select({ sourceId: rejections.sourceId, reason: rejections.reason, total, newestAt: max(rejections.createdAt) })
    .from(rejections)
    .where(and(range, tooMany && gt(rejections.id, tooMany.id), ...rejectionConditions(others).own))
    .groupBy(rejections.sourceId, rejections.reason)
    .orderBy(desc(total), rejections.reason);
  return {
    counts: rows.map(({ total: count, newestAt, ...of }) => ({ ...of, count, newestAt: newestAt ?? new Date(0) })),
    countedToMs: tooMany && idTime(tooMany.id),
  };
}
