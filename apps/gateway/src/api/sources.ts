// /v1/sources: where events come from. What this answers is in force: the gateway's ingress knows it already.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { SluiceError } from "@sluice/shared/errors";
import { parseId } from "@sluice/shared/ids";
import type { Logger } from "@sluice/shared/log";
import type { MasterKey } from "@sluice/shared/master-key";
import { generateSigningSecret, type SigningSecret } from "@sluice/shared/signature/secret";
import type { Database } from "@sluice/shared/store/database";
import * as store from "@sluice/shared/store/sources";

import { cursorOf } from "./cursor.ts";
import { listOf, pageParameters, toPage } from "./list.ts";
import { idParameter, jsonAnswer, jsonBody, noParameters } from "./operation.ts";
import { problemResponse } from "./problem.ts";
import type { ApiEnv } from "./request-log.ts";
import { createdSource, newSource, showSource, sourceChange, sourceSchema } from "./source-schema.ts";

export interface SourcesDependencies {
  db: Database;
  masterKey: MasterKey;
  /** The environment's secret of the source `gemini`. */
  geminiSigningSecret: SigningSecret | undefined;
  /** Awaited after every change and before its answer. */
  sourcesChanged: () => Promise<void>;
  log: Logger;
}

const tags = ["sources"];
const params = idParameter("src_01h455vb4pex5vsknk084sn02q");
const operations = {
  list: createRoute({
    method: "get",
    path: "/v1/sources",
    tags,
    summary: "Sources, newest first",
    request: { query: z.strictObject(pageParameters) },
    responses: { 200: jsonAnswer("A page", listOf(sourceSchema)), default: problemResponse },
  }),
  create: createRoute({
    method: "post",
    path: "/v1/sources",
    tags,
    summary: "Create a source",
    request: { query: noParameters, body: jsonBody(newSource) },
    responses: { 201: jsonAnswer("The source", createdSource), default: problemResponse },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/sources/{id}",
    tags,
    summary: "Read a source",
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The source", sourceSchema), default: problemResponse },
  }),
  update: createRoute({
    method: "patch",
    path: "/v1/sources/{id}",
    tags,
    summary: "Change the given fields; `signing_secret` replaces every stored secret",
    request: { params, query: noParameters, body: jsonBody(sourceChange) },
    responses: { 200: jsonAnswer("The source", sourceSchema), default: problemResponse },
  }),
  delete: createRoute({
    method: "delete",
    path: "/v1/sources/{id}",
    tags,
    summary: "Delete a source; its events stay in the log",
    request: { params, query: noParameters },
    responses: { 204: { description: "It is deleted" }, default: problemResponse },
  }),
};

export function routeSources(app: OpenAPIHono<ApiEnv>, dependencies: SourcesDependencies): void {
  const { db, masterKey, geminiSigningSecret, log } = dependencies;
  const show = (record: store.SourceRecord) => showSource(record, geminiSigningSecret);
  const find = async (id: string): Promise<store.SourceRecord> => {
    const record = await store.getSource(db, id);
    if (record === undefined) throw notFound();
    return record;
  };
  const announce = async () => {
    // Failure policy: open. The change is committed, and the ingress finds it by its revision within seconds.
    await dependencies.sourcesChanged().catch((error: unknown) => log.warn({ err: error }, "sources not refreshed"));
  };

  app.openapi(operations.list, async (c) => {
    const { limit, cursor: text } = c.req.valid("query");
    const cursor = cursorOf("sources");
    const beforeId = text === undefined ? undefined : cursor.read(text);
    const page = toPage(await store.listSources(db, { beforeId, limit: limit + 1 }), limit, cursor);
    return c.json({ data: page.rows.map(show), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(operations.create, async (c) => {
    const { name, tolerance_seconds: toleranceSeconds, signing_secret: given } = c.req.valid("json");
    const secret = given ?? generateSigningSecret();
    const id = await store.createSource(db, masterKey, { name, toleranceSeconds }, secret);
    await announce();
    const source = show(await find(id));
    c.header("location", `/v1/sources/${source.id}`);
    return c.json({ ...source, ...(given === undefined && { new_signing_secret: secret.text }) }, 201);
  });

  app.openapi(operations.read, async (c) => c.json(show(await find(readSourceId(c.req.valid("param").id))), 200));

  app.openapi(operations.update, async (c) => {
    const id = readSourceId(c.req.valid("param").id);
    const { name, tolerance_seconds: toleranceSeconds, signing_secret: secret } = c.req.valid("json");
    const current = await find(id);
    if (name !== undefined && name !== current.name) refuseBuiltIn(current, "be renamed");
    const settings = {
      ...(name !== undefined && { name }),
      ...(toleranceSeconds !== undefined && { toleranceSeconds }),
    };
    if (!(await store.updateSource(db, masterKey, id, settings, secret))) throw notFound();
    await announce();
    return c.json(show(await find(id)), 200);
  });

  app.openapi(operations.delete, async (c) => {
    const id = readSourceId(c.req.valid("param").id);
    refuseBuiltIn(await find(id), "be deleted");
    if (!(await store.deleteSource(db, id))) throw notFound();
    await announce();
    return c.body(null, 204);
  });
}

const readSourceId = (text: string) => parseId("src", text, "{id}");

const notFound = () => new SluiceError("not_found", "There is no source with this id");

function refuseBuiltIn({ name }: store.SourceRecord, what: string): void {
  if (name !== store.GEMINI_SOURCE) return;
  throw new SluiceError(
    "protected_source",
    `The source "${store.GEMINI_SOURCE}" cannot ${what}: it is made again at every start`,
  );
}
