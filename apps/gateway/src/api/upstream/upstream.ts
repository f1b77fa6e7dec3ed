// GET and PATCH /v1/sources/{id}/upstream: the webhook of a source at Gemini as it was last seen, and what the relay
// does about it by itself.

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";

import { changeUpstreamSettings } from "@sluice/store/upstream/upstreams";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { requireMatch } from "../http/etag.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { findSource, lockSource } from "../sources/find-source.ts";
import { readSourceId, sourceParams as params } from "../sources/source-endpoint.ts";
import {
  findUpstream,
  type UpstreamApiDependencies,
  upstreamTags as tags,
  withUpstreamEtag,
} from "./upstream-endpoint.ts";
import { OBSERVED_OF_UPSTREAM, showUpstream, upstreamChange, upstreamSchema } from "./upstream-schema.ts";

const endpoints = {
  read: createRoute({
    method: "get",
    path: "/v1/sources/{id}/upstream",
    tags,
    summary: "Read the webhook of a source at Gemini",
    description: "The answer shows it as it was last seen, with what differs from what the source expects.",
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The webhook", upstreamSchema, "ETag"), default: problemResponse },
  }),
  update: createRoute({
    method: "patch",
    path: "/v1/sources/{id}/upstream",
    tags,
    summary: "Change what the relay does by itself about the webhook of a source",
    description: "The relay can rotate the signing secret after some days, and enable a webhook that Gemini disabled.",
    request: { params, query: noParameters, body: jsonBody(upstreamChange) },
    responses: {
      200: jsonAnswer("The webhook", upstreamSchema, "ETag"),
      ...problems("precondition_failed"),
      default: problemResponse,
    },
  }),
};

export function routeUpstream(app: OpenAPIHono<ApiEnv>, dependencies: UpstreamApiDependencies): void {
  const { db } = dependencies;

  app.openapi(endpoints.read, async (c) => {
    const { id } = await findSource(db, readSourceId(c.req.valid("param").id));
    return c.json(withUpstreamEtag(c, await showUpstream(db, dependencies, await findUpstream(db, id))), 200);
  });

  app.openapi(endpoints.update, async (c) => {
    const id = readSourceId(c.req.valid("param").id);
    const { rotate_every_days: rotateEveryDays, heal } = c.req.valid("json");
    const upstream = await makeChange(c, db, async (tx, record) => {
      await lockSource(tx, id);
      const before = await showUpstream(tx, dependencies, await findUpstream(tx, id));
      requireMatch(c, before, OBSERVED_OF_UPSTREAM);
      await changeUpstreamSettings(tx, id, { rotateEveryDays, heal });
      const after = await showUpstream(tx, dependencies, await findUpstream(tx, id));
      await record({ action: "source.upstream_updated", resourceId: after.source, before, after });
      return after;
    });
    return c.json(withUpstreamEtag(c, upstream), 200);
  });
}
