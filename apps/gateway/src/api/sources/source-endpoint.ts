// What every endpoint of a source has in common: how it is found, and that a change is in force when it is
// answered.

import type { OpenAPIHono } from "@hono/zod-openapi";

import { parseId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { SigningSecret } from "@sluice/signature/secret";
import { sourceNotFound, wrongKind } from "@sluice/store/configuration/rotation";
import { getSource, getSourceForChange, type SourceRecord } from "@sluice/store/configuration/sources";
import type { Connection, Database } from "@sluice/store/connection/database";
import type { SourceKind } from "@sluice/store/schema";

import type { ApiEnv } from "../http/api-env.ts";
import { idParameter } from "../openapi/endpoint.ts";

export interface SourcesDependencies {
  db: Database;
  masterKey: MasterKey;
  /** The environment's secret of the source `gemini`. */
  geminiSigningSecret: SigningSecret | undefined;
  /** Of the ingress, as the world sees it, without a slash at its end. */
  publicUrl: string | undefined;
  /** Awaited after every change and before its answer. */
  sourcesChanged: () => Promise<void>;
  log: Logger;
}

export type SourcesApp = OpenAPIHono<ApiEnv>;

export const sourceTags = ["sources"];
export const sourceParams = idParameter("src_01h455vb4pex5vsknk084sn02q");

export const readSourceId = (text: string) => parseId("src", text, "{id}");

/** @throws SluiceError `not_found` */
export async function findSource(db: Connection, id: string): Promise<SourceRecord> {
  const record = await getSource(db, id);
  if (record === undefined) throw sourceNotFound();
  return record;
}

/** The source, which stays as it is until the transaction changes it or ends. @throws SluiceError `not_found` */
export async function lockSource(tx: Connection, id: string): Promise<SourceRecord> {
  const record = await getSourceForChange(tx, id);
  if (record === undefined) throw sourceNotFound();
  return record;
}

/** @throws SluiceError `not_found`, `wrong_kind` */
export async function findSourceOfKind(db: Connection, id: string, kind: SourceKind): Promise<SourceRecord> {
  const record = await findSource(db, id);
  if (record.kind !== kind) throw wrongKind(kind);
  return record;
}

export async function announceChange({ sourcesChanged, log }: SourcesDependencies): Promise<void> {
  // Failure policy: open. The change is committed, and the ingress finds it by its revision within seconds.
  await sourcesChanged().catch((error: unknown) => log.warn({ err: error }, "sources not refreshed"));
}

/** A path of the ingress and, where PUBLIC_URL says where that is, its URL. */
export function showAddress(publicUrl: string | undefined, path: string) {
  return { ingress_path: path, url: publicUrl === undefined ? null : publicUrl + path };
}
