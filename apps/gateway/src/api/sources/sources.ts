// /v1/sources: the sources from which the relay receives events.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { SluiceError } from "@sluice/shared/runtime/errors";
import { generateSigningSecret } from "@sluice/signature/secret";
import { setGeminiKey } from "@sluice/store/configuration/gemini-keys";
import * as store from "@sluice/store/configuration/sources";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { requireMatch, withEtag } from "../http/etag.ts";
import { refuseForbiddenAddress } from "../http/forbidden-address.ts";
import { listOf, pageParameters, readPage, toPage } from "../http/list.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { findSource, lockSource } from "./find-source.ts";
import { changeReconciliation } from "./reconcile-settings.ts";
import { makeSourceChange } from "./source-change.ts";
import {
  readSourceId,
  sourceParams as params,
  type SourcesDependencies,
  sourceTags as tags,
} from "./source-endpoint.ts";
import {
  createdSource,
  newSource,
  showSource,
  sourceChange,
  sourceSchema,
  toSettingsChange,
  toSourceSettings,
} from "./source-schema.ts";

const endpoints = {
  list: createRoute({
    method: "get",
    path: "/v1/sources",
    tags,
    summary: "List sources, newest first",
    request: { query: z.strictObject(pageParameters) },
    responses: { 200: jsonAnswer("A page of sources", listOf(sourceSchema)), default: problemResponse },
  }),
  create: createRoute({
    method: "post",
    path: "/v1/sources",
    tags,
    summary: "Create a source",
    request: { query: noParameters, body: jsonBody(newSource) },
    responses: { 201: jsonAnswer("The source", createdSource), ...problems("name_taken"), default: problemResponse },
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
    summary: "Change fields of a source; `signing_secret` replaces every stored secret",
    request: { params, query: noParameters, body: jsonBody(sourceChange) },
    responses: {
      200: jsonAnswer("The source", sourceSchema),
      ...problems("name_taken", "protected_source", "precondition_failed"),
      default: problemResponse,
    },
  }),
  delete: createRoute({
    method: "delete",
    path: "/v1/sources/{id}",
    tags,
    summary: "Delete a source; its events stay in the log",
    request: { params, query: noParameters },
    responses: {
      204: { description: "The source is deleted" },
      ...problems("protected_source", "precondition_failed"),
      default: problemResponse,
    },
  }),
};

export function routeSources(app: OpenAPIHono<ApiEnv>, dependencies: SourcesDependencies): void {
  const { db, masterKey, geminiSigningSecret, keySetGuard, geminiApiKey } = dependencies;
  const show = (record: store.SourceRecord) => showSource(record, geminiSigningSecret);

  app.openapi(endpoints.list, async (c) => {
    const query = c.req.valid("query");
    const { page: wanted, cursor } = readPage("sources", query);
    const page = toPage(await store.listSources(db, wanted), query.limit, cursor);
    return c.json({ data: page.rows.map(show), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(endpoints.create, async (c) => {
    const given = c.req.valid("json");
    const settings = toSourceSettings(given);
    if (settings.jwksUri !== null) refuseForbiddenAddress(keySetGuard, settings.jwksUri, "/jwks_uri");
    const secret = given.signing_secret ?? generateSigningSecret();
    const verification = given.kind === "static" ? { kind: given.kind, secret } : { kind: given.kind };
    const { source, token } = await makeSourceChange(c, dependencies, async (tx, record) => {
      const created = await store.insertSource(tx, masterKey, settings, verification);
      if (given.gemini_api_key !== undefined) await setGeminiKey(tx, masterKey, created.id, given.gemini_api_key);
      await changeReconciliation(tx, await findSource(tx, created.id), given.reconcile, geminiApiKey);
      const after = show(await findSource(tx, created.id));
      await record({ action: "source.created", resourceId: after.id, after });
      return { source: after, token: created.token };
    });
    c.header("location", `/v1/sources/${source.id}`);
    const shownOnce = {
      ...(given.kind === "static" && given.signing_secret === undefined && { new_signing_secret: secret.text }),
      ...(token !== undefined && { new_ingress_token: token.text }),
    };
    return c.json({ ...withEtag(c, source), ...shownOnce }, 201);
  });

  app.openapi(endpoints.read, async (c) =>
    c.json(withEtag(c, show(await findSource(db, readSourceId(c.req.valid("param").id)))), 200),
  );

  app.openapi(endpoints.update, async (c) => {
    const id = readSourceId(c.req.valid("param").id);
    const given = c.req.valid("json");
    const source = await makeSourceChange(c, dependencies, async (tx, record) => {
      const current = await lockSource(tx, id);
      const before = show(current);
      requireMatch(c, before);
      const settings = toSettingsChange(current.kind, given);
      const { jwksUri = null } = settings;
      if (jwksUri !== null && jwksUri !== current.jwksUri) refuseForbiddenAddress(keySetGuard, jwksUri, "/jwks_uri");
      if (settings.name !== undefined && settings.name !== current.name) refuseBuiltIn(current, "be renamed");
      await store.changeSourceSettings(tx, masterKey, id, settings, given.signing_secret);
      if (given.gemini_api_key !== undefined) await setGeminiKey(tx, masterKey, id, given.gemini_api_key);
      await changeReconciliation(tx, await findSource(tx, id), given.reconcile, geminiApiKey);
      const after = show(await findSource(tx, id));
      await record({ action: "source.updated", resourceId: after.id, before, after });
      return after;
    });
    return c.json(withEtag(c, source), 200);
  });

  app.openapi(endpoints.delete, async (c) => {
    const id = readSourceId(c.req.valid("param").id);
    await makeSourceChange(c, dependencies, async (tx, record) => {
      const current = await lockSource(tx, id);
      const before = show(current);
      requireMatch(c, before);
      refuseBuiltIn(current, "be deleted");
      await store.removeSource(tx, id);
      await record({ action: "source.deleted", resourceId: before.id, before });
    });
    return c.body(null, 204);
  });
}

function refuseBuiltIn({ name }: store.SourceRecord, change: "be renamed" | "be deleted"): void {
  if (!Object.hasOwn(store.BUILT_IN_SOURCES, name)) return;
  throw new SluiceError(
    "protected_source",
    `The source "${name}" cannot ${change}: it is built in, and the relay creates it again at every start`,
  );
}
