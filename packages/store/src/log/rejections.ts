// Rejections: refused requests on known sources. During a flood only a sample of them is stored, and `weight` is the
// number of requests that a row stands for, so that sums stay true.

import { idTime } from "@sluice/shared/domain/ids";
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
