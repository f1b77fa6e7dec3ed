// Every change that the API makes goes through here: one transaction for the change, its entry in the audit trail, and
// the mark of its Idempotency-Key, so that none of them exists without the others.

import type { Context } from "hono";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Connection, Database } from "@sluice/store/connection/database";
import { type AuditedChange, recordChange } from "@sluice/store/requests/audit";
import { markEffect } from "@sluice/store/requests/idempotency";

import { type ApiEnv, callerOf } from "./api-env.ts";

/** Writes a change into the audit trail, with its transaction. */
export type RecordChange = (change: AuditedChange) => Promise<void>;

/**
 * Runs a change in a transaction, in which every change MUST be recorded. What others have to be told of it (workers,
 * the ingress) follows after this has returned, when it is committed.
 */
export async function makeChange<T>(
  c: Context<ApiEnv>,
  db: Database,
  work: (tx: Connection, record: RecordChange) => Promise<T>,
): Promise<T> {
  const { keyId, name: keyName } = callerOf(c);
  const author = { keyId, keyName, remoteAddress: c.get("remoteAddress") ?? null, requestId: c.get("requestId") };
  const claim = c.get("claim");
  return db.orm.transaction(async (orm) => {
    const tx = { orm };
    if (claim !== undefined && !(await markEffect(tx, claim))) {
      throw new SluiceError("idempotency_in_progress", "Another request with this Idempotency-Key took its place", {
        retryAfterSeconds: 1,
      });
    }
    return work(tx, (change) => recordChange(tx, author, change));
  });
}
