// /v1/sources: the sources from which the relay receives events.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { listSources, type SourceRecord } from "@sluice/store/configuration/sources";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { withEtag } from "../http/etag.ts";
import { listOf, nameParameter, pageParameters, readPage, toPage } from "../http/list.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { findSource } from "./find-source.ts";
import { createSource, deleteSource, updateSource } from "./source-change.ts";
import {
  readSourceId,
  sourceParams as params,
  type SourcesDependencies,
  sourceTags as tags,
} from "./source-endpoint.ts";
import { createdSource, newSource, showSource, sourceChange, sourceSchema, toSettingsChange } from "./source-schema.ts";

const endpoints = {
  list: createRoute({
    method: "get",
    path: "/v1/sources",
    tags,
    summary: "List sources, newest first",
    description: "The list has the built-in sources too. Signing secrets are shown by their ends.",
    request: { query: z.strictObject({ ...pageParameters, ...nameParameter }) },
    responses: { 200: jsonAnswer("A page of sources", listOf(sourceSchema, "SourcePage")), default: problemResponse },
  }),
  create: createRoute({
    method: "post",
    path: "/v1/sources",
    tags,
    summary: "Create a source",
    description: "Every gateway accepts webhooks for the source within a second.",
    request: { query: noParameters, body: jsonBody(newSource) },
    responses: {
      201: jsonAnswer("The source", createdSource, "ETag", "Location"),
      ...problems("name_taken"),
      default: problemResponse,
    },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/sources/{id}",
    tags,
    summary: "Read a source",
    description: "Signing secrets are shown by their ends, and the key of the Gemini API too.",
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The source", sourceSchema, "ETag"), default: problemResponse },
  }),
  update: createRoute({
    method: "patch",
    path: "/v1/sources/{id}",
    tags,
    summary: "Change fields of a source",
    description: "Fields that you leave out stay as they are. `signing_secret` replaces every stored secret.",
    request: { params, query: noParameters, body: jsonBody(sourceChange) },
    responses: {
      200: jsonAnswer("The source", sourceSchema, "ETag"),
      ...problems("name_taken", "protected_source", "precondition_failed", "managed_by_file"),
      default: problemResponse,
    },
  }),
  delete: createRoute({
    method: "delete",
    path: "/v1/sources/{id}",
    tags,
    summary: "Delete a source",
    description: "Webhooks for the source are refused from now on. Its events stay in the log.",
    request: { params, query: noParameters },
    responses: {
      204: { description: "The source is deleted" },
      ...problems("protected_source", "precondition_failed", "managed_by_file"),
      default: problemResponse,
    },
  }),
};

export function routeSources(app: OpenAPIHono<ApiEnv>, dependencies: SourcesDependencies): void {
  const { db, geminiSigningSecret } = dependencies;
  const show = (record: SourceRecord) => showSource(record, geminiSigningSecret);

  app.openapi(endpoints.list, async (c) => {
    const { name, ...query } = c.req.valid("query");
    const { page: wanted, cursor } = readPage("sources", query, { name });
    const page = toPage(await listSources(db, wanted, name), query.limit, cursor);
    return c.json({ data: page.rows.map(show), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(endpoints.create, async (c) => {
    const { source, shownOnce } = await createSource(c, dependencies, c.req.valid("json"));
    c.header("location", `/v1/sources/${source.id}`);
    return c.json({ ...withEtag(c, source), ...shownOnce }, 201);
  });

  app.openapi(endpoints.read, async (c) =>
    c.json(withEtag(c, show(await findSource(db, readSourceId(c.req.valid("param").id)))), 200),
  );

  app.openapi(endpoints.update, async (c) => {
    const id = readSourceId(c.req.valid("param").id);
    const given = c.req.valid("json");
    const plan = ({ kind }: SourceRecord) => ({ ...given, settings: toSettingsChange(kind, given) });
    return c.json(withEtag(c, await updateSource(c, dependencies, id, plan)), 200);
  });

  app.openapi(endpoints.delete, async (c) => {
    await deleteSource(c, dependencies, readSourceId(c.req.valid("param").id));
    return c.body(null, 204);
  });
}
