// Starts an operation, which the workers carry out, with its entry in the audit trail.

import type { Context } from "hono";

import type { Database } from "@sluice/store/connection/database";
import { createOperation, type NewOperation } from "@sluice/store/delivery/operations";

import { type ApiEnv, callerOf } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { showOperation } from "./operation-schema.ts";

type WithoutCaller<Operation> = Operation extends unknown ? Omit<Operation, "keyId" | "keyName"> : never;

/** @returns the operation as the API shows it. Sets the header `Location` of the answer. */
export async function startOperation(c: Context<ApiEnv>, db: Database, operation: WithoutCaller<NewOperation>) {
  const { keyId, name: keyName } = callerOf(c);
  const shown = await makeChange(c, db, async (tx, record) => {
    const after = showOperation(await createOperation(tx, { ...operation, keyId, keyName }));
    await record({ action: "operation.started", resourceId: after.id, after });
    return after;
  });
  c.header("location", `/v1/operations/${shown.id}`);
  return shown;
}
