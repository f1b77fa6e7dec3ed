// /v1/sources/by-name/{name}: reads, makes, replaces and deletes a source by its name.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { withEtag } from "../http/etag.ts";
import { problems } from "../http/problems.ts";
import { putByName, requireNameOfPath } from "../http/put-by-name.ts";
import { jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { findSource } from "./find-source.ts";
import { createSource, deleteSource, updateSource } from "./source-change.ts";
import { type SourcesDependencies, sourceTags as tags } from "./source-endpoint.ts";
import {
  createdSource,
  showSource,
  sourceName,
  sourceReplacement,
  sourceSchema,
  toSourceReplacement,
} from "./source-schema.ts";

const path = "/v1/sources/by-name/{name}";
const params = z.object({ name: sourceName.openapi({ description: "The name of the source", example: "billing" }) });

const endpoints = {
  read: createRoute({
    method: "get",
    path,
    operationId: "getSourceByName",
    tags,
    summary: "Read the source of a name",
    description: "The name is the one in `ingress_path`.",
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The source", sourceSchema, "ETag"), default: problemResponse },
  }),
  replace: createRoute({
    method: "put",
    path,
    operationId: "replaceSourceByName",
    tags,
    summary: "Create or replace the source of a name",
    description:
      "Makes a source with this name, or replaces the settings of the source that has it. What the body leaves out goes back to its default. Credentials stay: signing secrets, ingress tokens and " +
      "`gemini_api_key`. `kind` is `static` unless it is given, and a source cannot change it. A new secret or token is " +
      "only in the answer 201.",
    request: { params, query: noParameters, body: jsonBody(sourceReplacement) },
    responses: {
      200: jsonAnswer("The source, with its new settings", sourceSchema, "ETag"),
      201: jsonAnswer("The new source", createdSource, "ETag", "Location"),
      ...problems("name_taken", "precondition_failed", "managed_by_file"),
      default: problemResponse,
    },
  }),
  delete: createRoute({
    method: "delete",
    path,
    operationId: "deleteSourceByName",
    tags,
    summary: "Delete the source of a name",
    description: "Its events stay in the log. The name is free again at once.",
    request: { params, query: noParameters },
    responses: {
      204: { description: "The source is deleted" },
      ...problems("protected_source", "precondition_failed", "managed_by_file"),
      default: problemResponse,
    },
  }),
};

export function routeSourcesByName(app: OpenAPIHono<ApiEnv>, dependencies: SourcesDependencies): void {
  const { db, geminiSigningSecret } = dependencies;
  app.openapi(endpoints.read, async (c) =>
    c.json(withEtag(c, showSource(await findSource(db, c.req.valid("param")), geminiSigningSecret)), 200),
  );

  app.openapi(endpoints.replace, async (c) => {
    const { name } = c.req.valid("param");
    const given = c.req.valid("json");
    requireNameOfPath(name, given.name);
    const created = { ...given, name, gemini_api_key: given.gemini_api_key ?? undefined };
    const done = await putByName(c, {
      replace: () => updateSource(c, dependencies, { name }, (current) => toSourceReplacement(current, given)),
      create: () => createSource(c, dependencies, created),
    });
    if (done.kind === "replaced") return c.json(withEtag(c, done.replaced), 200);
    const { source, shownOnce } = done.created;
    c.header("location", `/v1/sources/${source.id}`);
    return c.json({ ...withEtag(c, source), ...shownOnce }, 201);
  });

  app.openapi(endpoints.delete, async (c) => {
    await deleteSource(c, dependencies, c.req.valid("param"));
    return c.body(null, 204);
  });
}
