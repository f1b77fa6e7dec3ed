// Every change that the API makes goes through here. One transaction holds the change, its entry in the audit trail and
// the mark that its Idempotency-Key took effect, so none of them is ever stored without the others.

import type { Context } from "hono";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Connection, Database } from "@sluice/store/connection/database";
import { type AuditedChange, type Author, recordChange } from "@sluice/store/requests/audit";
import { markEffect } from "@sluice/store/requests/idempotency";

import { type ApiEnv, callerOf } from "./api-env.ts";

/** Writes a change into the audit trail, in the transaction of the change. */
export type RecordChange = (change: AuditedChange) => Promise<void>;

/** The caller of a request, as the audit trail names it. */
export function authorOf(c: Context<ApiEnv>): Author {
  const { keyId, name: keyName } = callerOf(c);
  return { keyId, keyName, remoteAddress: c.get("remoteAddress") ?? null, requestId: c.get("requestId") };
}

/**
 * Runs `work` in a transaction. `work` MUST call `record` for every change that it makes. When this resolves, the
 * change is committed; only then may the caller tell workers or the ingress about it.
 * @throws SluiceError `idempotency_in_progress` when another request took over the Idempotency-Key of this one.
 */
export async function makeChange<T>(
  c: Context<ApiEnv>,
  db: Database,
  work: (tx: Connection, record: RecordChange) => Promise<T>,
): Promise<T> {
  const author = authorOf(c);
  const claim = c.get("claim");
  const application = c.get("application");
  const change = db.orm.transaction(async (orm) => {
    const tx = { orm };
    if (claim !== undefined && !(await markEffect(tx, claim))) {
      throw new SluiceError(
        "idempotency_in_progress",
        "Another request took over this Idempotency-Key; repeat the request to get its answer",
        {
          retryAfterSeconds: 1,
        },
      );
    }
    const result = await work(tx, async (made) => {
      await recordChange(tx, author, made);
      application?.changes.push(made);
    });
    if (application?.isPreview === true) throw new Undone(result);
    return result;
  });
  return change.catch((error: unknown) => {
    if (error instanceof Undone) return error.result as T;
    throw error;
  });
}

/** Rolls back the transaction of a preview. */
class Undone extends Error {
  readonly result: unknown;

  constructor(result: unknown) {
    super("The change was made to see what it is, and is undone");
    this.result = result;
  }
}
