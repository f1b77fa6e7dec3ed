// Operations: a retry or cancellation of many deliveries, or a replay of many events. A row says what was asked for and
// how far it is; the workers do it in steps (operation-step.ts).

import { and, desc, eq, sql } from "drizzle-orm";

import { idFloor, idTime, newId } from "@sluice/shared/domain/ids";

import type { Connection, Database } from "../connection/database.ts";
import { pruneBatches } from "../connection/prune-batches.ts";
import type { DeliveryFilter, EventFilter } from "../log/log-filter.ts";
import { type Page, withinPage } from "../log/page.ts";
import { operations, type OperationKind, type OperationState, type ReplayState } from "../schema.ts";
import type { TimeRange } from "./walk.ts";

export type OperationRecord = typeof operations.$inferSelect;

/** The deliveries of an operation. The range limits when they were made. */
export interface BulkFilter extends DeliveryFilter, TimeRange {}

/** The events of a replay. The range limits when they were received. */
export interface ReplayFilter extends EventFilter, TimeRange {}

interface OperationBase {
  /** The request as its caller wrote it; the API shows it. */
  given: Record<string, unknown>;
  keyId: string | null;
  keyName: string;
}

/** `filter` is what was given, as the steps use it. */
export type NewOperation = OperationBase &
  (
    | { kind: Exclude<OperationKind, "replay_events">; filter: BulkFilter }
    | { kind: "replay_events"; filter: ReplayFilter; replay: ReplayState }
  );

/** What one step did, apart from its count of what matches. */
export interface StepWork {
  done: number;
  failed: number;
  /** The targets whose deliveries became due. */
  targetIds: string[];
  /** The id after which the next step goes on; undefined when this step was the last. */
  next: string | undefined;
  replay?: ReplayState;
  /** Why the operation cannot go on; it has then failed. */
  error?: string;
}

export async function createOperation(tx: Connection, operation: NewOperation): Promise<OperationRecord> {
  const { filter, ...rest } = operation;
  // Migration 0031 says why a replay has its time in another column.
  const times = operation.kind === "replay_events" && { nextStepAt: sql`'infinity'`, nextReplayStepAt: sql`now()` };
  const values = { id: newId(), ...rest, filter: { ...filter }, ...times };
  const [created] = await tx.orm.insert(operations).values(values).returning();
  if (created === undefined) throw new Error("An insert returned no row");
  return created;
}

/** The operation's range, limited to what existed when it was made: its caller did not mean what came later. */
export function rangeOfOperation({ id, filter }: OperationRecord): TimeRange {
  const { sinceMs, untilMs = Number.POSITIVE_INFINITY }: TimeRange = filter;
  return { sinceMs, untilMs: Math.min(untilMs, idTime(id) + 1) };
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
