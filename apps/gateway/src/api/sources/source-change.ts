// Every change of a source goes through here. The ingress of this gateway applies the change before its caller gets the
// answer, so a webhook that is sent after the answer is verified by the new settings.

import type { Context } from "hono";

import type { Connection } from "@sluice/store/connection/database";

import type { ApiEnv } from "../http/api-env.ts";
import { makeChange, type RecordChange } from "../http/change.ts";
import type { SourcesDependencies } from "./source-endpoint.ts";

/** Runs `work` as {@link makeChange} does, and then has the ingress load the sources again. */
export async function makeSourceChange<T>(
  c: Context<ApiEnv>,
  { db, sourcesChanged, log }: SourcesDependencies,
  work: (tx: Connection, record: RecordChange) => Promise<T>,
): Promise<T> {
  const result = await makeChange(c, db, work);
  // Failure policy: open. The change is committed, and every ingress finds it by its revision within seconds.
  await sourcesChanged().catch((error: unknown) => log.warn({ err: error }, "sources not refreshed"));
  return result;
}
