// The audit trail: who changed what through the API. An entry is written by the transaction that makes the change, so
// that neither exists without the other. `before` and `after` are what the API shows, which has no secrets.

import { and, desc, eq, isNull, like } from "drizzle-orm";

import { idFloor, newId } from "@sluice/shared/domain/ids";
import { audit } from "../schema.ts";
import type { Connection, Database } from "../connection/database.ts";
import { type Page, withinPage } from "../log/page.ts";
import { pruneBatches } from "../connection/prune.ts";

/** Who makes a change, and by which request. */
export interface Author {
  /** Null for the key of the environment. */
  keyId: string | null;
  keyName: string;
  remoteAddress: string | null;
  requestId: string;
}

/** One change of one resource. */
export interface AuditedChange {
  /** The resource's type and what was done to it, as in `target.updated`. */
  action: `${string}.${string}`;
  /** As the API shows it: `tgt_…`. */
  resourceId: string;
  /** MUST be what the API shows to everybody who may read: never a secret, a token or the value of a header. */
  before?: object;
  after?: object;
}

export type AuditEntry = typeof audit.$inferSelect;

export interface AuditFilter {
  /** The id of a key; null for that of the environment. */
  keyId?: string | null | undefined;
  /** `target.*` for every action on a type of resource. */
  action?: string | undefined;
  resourceId?: string | undefined;
}

/** MUST be called in the transaction that makes the change. */
export async function recordChange(tx: Connection, author: Author, change: AuditedChange): Promise<void> {
  const { before, after, action, resourceId } = change;
  await tx.orm.insert(audit).values({
    id: newId(),
    ...author,
    action,
    resourceType: action.slice(0, action.indexOf(".")),
    resourceId,
    before: before === undefined ? null : { ...before },
    after: after === undefined ? null : { ...after },
  });
}

export async function listAudit(db: Connection, filter: AuditFilter, page: Page): Promise<AuditEntry[]> {
  const { keyId, action, resourceId } = filter;
  return db.orm
    .select()
    .from(audit)
    .where(
      and(
        withinPage(audit.id, page),
        keyId === undefined ? undefined : keyId === null ? isNull(audit.keyId) : eq(audit.keyId, keyId),
        action === undefined ? undefined : matchesAction(action),
        resourceId === undefined ? undefined : eq(audit.resourceId, resourceId),
      ),
    )
    .orderBy(desc(audit.id))
    .limit(page.limit);
}

function matchesAction(action: string) {
  if (!action.endsWith(".*")) return eq(audit.action, action);
  return like(audit.action, `${action.slice(0, -1).replaceAll("_", String.raw`\_`)}%`);
}

export async function getAuditEntry(db: Connection, id: string): Promise<AuditEntry | undefined> {
  return (await db.orm.select().from(audit).where(eq(audit.id, id)))[0];
}

/** Forgets entries made before an instant. @returns how many. */
export async function pruneAudit(db: Database, beforeMs: number): Promise<number> {
  return pruneBatches(db, "audit", "id < $1", [idFloor(beforeMs)]);
}
