// The audit trail: who changed what through the API. The transaction that makes a change also writes the entry, so that
// neither exists without the other. `before` and `after` are what the API shows, which has no secrets.

import { eq, isNull, like } from "drizzle-orm";

import { idFloor, newId } from "@sluice/shared/domain/ids";

import type { Connection, Database } from "../connection/database.ts";
import { pruneBatches } from "../connection/prune-batches.ts";
import { lateByTransaction } from "../log/late-rows.ts";
import type { Page } from "../log/page.ts";
import { findPage, type LogPage } from "../log/records.ts";
import { wayOf } from "../log/search-ways.ts";
import type { Search } from "../log/search.ts";
import { TIME_IN_ID } from "../log/shown-time.ts";
import { audit } from "../schema.ts";
import { type AuditAction, auditedTypeOf } from "./audit-actions.ts";

/** The caller that makes a change, and its request. */
export interface Author {
  /** Null for the admin key of the environment. */
  keyId: string | null;
  keyName: string;
  remoteAddress: string | null;
  requestId: string;
}

/** One change of one resource. */
export interface AuditedChange {
  action: AuditAction;
  /** The id as the API shows it: `tgt_…`. */
  resourceId: string;
  /** MUST be what the API shows to every reader, as is `after`: never a secret, a token or the value of a header. */
  before?: object;
  after?: object;
}

export type AuditEntry = typeof audit.$inferSelect;

export interface AuditFilter {
  /** The id of a key; null for the admin key of the environment. */
  keyId?: string | null | undefined;
  /** An action such as `target.updated`, or `target.*` for every action on targets. */
  action?: string | undefined;
  resourceId?: string | undefined;
}

/** MUST be called in the transaction that makes the change, and not in a savepoint (`lateByTransaction`). */
export async function recordChange(tx: Connection, author: Author, change: AuditedChange): Promise<void> {
  const { before, after, action, resourceId } = change;
  await tx.orm.insert(audit).values({
    id: newId(),
    ...author,
    action,
    resourceType: auditedTypeOf(action),
    resourceId,
    before: before === undefined ? null : { ...before },
    after: after === undefined ? null : { ...after },
  });
}

export async function listAudit(db: Database, filter: AuditFilter, page: Page): Promise<LogPage<AuditEntry>> {
  const { keyId, action, resourceId } = filter;
  const ofKey = keyId === undefined ? undefined : keyId === null ? isNull(audit.keyId) : eq(audit.keyId, keyId);
  const isGroup = action?.endsWith(".*") === true;
  const ofAction =
    action === undefined ? undefined : isGroup ? isInGroup(action) : eq(audit.action, action as AuditAction);
  const ofResource = resourceId === undefined ? undefined : eq(audit.resourceId, resourceId);
  const indexed = [ofResource, ofKey, isGroup ? undefined : ofAction].filter((condition) => condition !== undefined);
  const list: Search = {
    table: audit,
    id: audit.id,
    conditions: { own: [ofResource, ofKey, ofAction].filter((each) => each !== undefined), lookedUp: [] },
    ways: async () => indexed.map((condition) => wayOf({ table: audit, id: audit.id }, condition)),
    shown: TIME_IN_ID,
    findLateRows: lateByTransaction(audit, audit.id),
  };
  return findPage(
    db,
    () => list,
    page,
    (isFound) => db.orm.select().from(audit).where(isFound),
  );
}

const isInGroup = (group: string) => like(audit.action, `${group.slice(0, -1).replaceAll("_", String.raw`\_`)}%`);

export async function getAuditEntry(db: Connection, id: string): Promise<AuditEntry | undefined> {
  return (await db.orm.select().from(audit).where(eq(audit.id, id)))[0];
}

/** Deletes entries that were made before an instant. @returns how many. */
export async function pruneAudit(db: Database, beforeMs: number): Promise<number> {
  return pruneBatches(db, "audit", "id < $1", [idFloor(beforeMs)]);
}
