// Operations: a retry or cancellation of many deliveries at once. A row says what was asked for and how far it is; the
// workers do it in steps (operation-step.ts).

import { and, desc, eq } from "drizzle-orm";

import { idFloor, newId } from "@sluice/shared/domain/ids";

import type { Connection, Database } from "../connection/database.ts";
import { pruneBatches } from "../connection/prune-batches.ts";
import type { DeliveryFilter } from "../log/log-filter.ts";
import { type Page, withinPage } from "../log/page.ts";
import { operations, type OperationKind, type OperationState } from "../schema.ts";

export type OperationRecord = typeof operations.$inferSelect;

/** The deliveries of an operation. `sinceMs` and `untilMs` limit when they were made, in milliseconds since 1970. */
export interface BulkFilter extends DeliveryFilter {
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
}

export interface NewOperation {
  kind: OperationKind;
  /** The filter as its caller wrote it; the API shows it. */
  given: Record<string, unknown>;
  /** The same filter as the steps use it. */
  filter: BulkFilter;
  keyId: string | null;
  keyName: string;
}

export async function createOperation(tx: Connection, operation: NewOperation): Promise<OperationRecord> {
  const { filter, ...rest } = operation;
  const values = { id: newId(), ...rest, filter: { ...filter } };
  const [created] = await tx.orm.insert(operations).values(values).returning();
  if (created === undefined) throw new Error("An insert returned no row");
  return created;
}

/** Newest first. */
export async function listOperations(
  db: Connection,
  { state }: { state?: OperationState | undefined },
  page: Page,
): Promise<OperationRecord[]> {
  return db.orm
    .select()
    .from(operations)
    .where(and(withinPage(operations.id, page), state === undefined ? undefined : eq(operations.state, state)))
    .orderBy(desc(operations.id))
    .limit(page.limit);
}

export async function getOperation(db: Connection, id: string): Promise<OperationRecord | undefined> {
  return (await db.orm.select().from(operations).where(eq(operations.id, id)))[0];
}

export type CancelOperationResult =
  | { kind: "cancelled"; before: OperationRecord; after: OperationRecord }
  | { kind: "finished" }
  | { kind: "not_found" };

/** Ends an operation where it is. Waits for a step that is under way, which is then its last. */
export async function cancelOperation(tx: Connection, id: string): Promise<CancelOperationResult> {
  const [before] = await tx.orm.select().from(operations).where(eq(operations.id, id)).for("update");
  if (before === undefined) return { kind: "not_found" };
  if (before.state !== "running") return { kind: "finished" };
  const [after] = await tx.orm
    .update(operations)
    .set({ state: "cancelled", finishedAt: new Date() })
    .where(eq(operations.id, id))
    .returning();
  return after === undefined ? { kind: "not_found" } : { kind: "cancelled", before, after };
}

/** Deletes finished operations that were made before an instant. @returns how many. */
export async function pruneOperations(db: Database, beforeMs: number): Promise<number> {
  return pruneBatches(db, "operations", "id < $1 AND state <> 'running'", [idFloor(beforeMs)]);
}
