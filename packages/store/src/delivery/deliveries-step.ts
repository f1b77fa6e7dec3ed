// One step of an operation that retries or cancels deliveries: the next ones that match its filter.

import { and, sql } from "drizzle-orm";

import type { Connection } from "../connection/database.ts";
import { anyOf } from "../log/id-range.ts";
import { deliveryConditions } from "../log/log-filter.ts";
import { deliverySearch } from "../log/records.ts";
import { deliveries, type DeliveryStatus } from "../schema.ts";
import { cancelMany, retryMany } from "./by-hand.ts";
import { type BulkFilter, type OperationRecord, rangeOfOperation, type StepWork } from "./operations.ts";
import { countRows, readBatch, type Walk, type WalkCount } from "./walk.ts";

export const walkDeliveries = (on: Connection, operation: OperationRecord): Walk => ({
  list: deliverySearch(on, operation.filter),
  range: rangeOfOperation(operation),
});

export async function applyToDeliveries(
  tx: Connection,
  operation: OperationRecord,
  maxDeliveries: number,
): Promise<StepWork> {
  const { ids, next } = await readBatch(
    tx,
    walkDeliveries(tx, operation),
    operation.cursor ?? undefined,
    maxDeliveries,
  );
  // A row may have changed since it was found: the statement compares these again once it has locked the rows.
  const matches = and(...deliveryConditions(operation.filter).own) ?? sql`true`;
  const targetIds = operation.kind === "retry_deliveries" ? await retryMany(tx, ids, matches) : [];
  const done = operation.kind === "retry_deliveries" ? targetIds.length : await cancelMany(tx, ids, matches);
  return { done, failed: ids.length - done, targetIds: [...new Set(targetIds)], next };
}

export interface MatchCount extends WalkCount {
  byStatus: Partial<Record<DeliveryStatus, number>>;
}

/** Counts the deliveries that match a filter, oldest first, and stops after about `withinMs`. */
export async function countMatching(
  on: Connection,
  filter: BulkFilter,
  limits: { afterId?: string | undefined; withinMs: number },
): Promise<MatchCount> {
  const byStatus: MatchCount["byStatus"] = {};
  const walk = { list: deliverySearch(on, filter), range: filter };
  const counted = await countRows(on, walk, limits, async (ids) => {
    const rows = await on.orm
      .select({ status: deliveries.status, count: sql<number>`count(*)::int` })
      .from(deliveries)
      .where(anyOf(deliveries.id, ids))
      .groupBy(deliveries.status);
    for (const { status, count } of rows) byStatus[status] = (byStatus[status] ?? 0) + count;
  });
  return { ...counted, byStatus };
}
