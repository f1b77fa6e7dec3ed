// /v1/targets: the internal services to which the relay delivers events, and their subscriptions.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { isChatKind } from "@sluice/shared/domain/target-kinds";
import { generateSigningSecret } from "@sluice/signature/secret";
import { listTargets } from "@sluice/store/configuration/targets";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { withEtag } from "../http/etag.ts";
import { listOf, nameParameter, pageParameters, readPage, toPage } from "../http/list.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { findTarget } from "./find-target.ts";
import { createTarget, deleteTarget, updateTarget } from "./target-change.ts";
import {
  readTargetId,
  targetParams as params,
  type TargetsDependencies,
  targetTags as tags,
} from "./target-endpoint.ts";
import { newTarget, targetChange } from "./target-request.ts";
import { applyChange, createdTarget, showTarget, targetSchema, toTargetSettings } from "./target-schema.ts";

const endpoints = {
  list: createRoute({
    method: "get",
    path: "/v1/targets",
    tags,
    summary: "List targets, newest first",
    description: "Values of headers and secrets are not shown.",
    request: { query: z.strictObject({ ...pageParameters, ...nameParameter }) },
    responses: { 200: jsonAnswer("A page of targets", listOf(targetSchema, "TargetPage")), default: problemResponse },
  }),
  create: createRoute({
    method: "post",
    path: "/v1/targets",
    tags,
    summary: "Create a target",
    description: "The target gets the events that arrive from now on. Only this answer shows its signing secret.",
    request: { query: noParameters, body: jsonBody(newTarget) },
    responses: {
      201: jsonAnswer("The target", createdTarget, "ETag", "Location"),
      ...problems("name_taken"),
      default: problemResponse,
    },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/targets/{id}",
    tags,
    summary: "Read a target",
    description: "The answer has its settings, its state and its health.",
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The target", targetSchema, "ETag"), default: problemResponse },
  }),
  update: createRoute({
    method: "patch",
    path: "/v1/targets/{id}",
    tags,
    summary: "Change fields of a target",
    description:
      "Fields that you leave out stay as they are. `headers` are replaced as a whole, and `tls` and `retry` field by field.",
    request: { params, query: noParameters, body: jsonBody(targetChange) },
    responses: {
      200: jsonAnswer("The target", targetSchema, "ETag"),
      ...problems("name_taken", "precondition_failed", "managed_by_file"),
      default: problemResponse,
    },
  }),
  delete: createRoute({
    method: "delete",
    path: "/v1/targets/{id}",
    tags,
    summary: "Delete a target",
    description: "Its pending deliveries are cancelled. Its events, deliveries and attempts stay in the log.",
    request: { params, query: noParameters },
    responses: {
      204: { description: "The target is deleted" },
      ...problems("precondition_failed", "managed_by_file"),
      default: problemResponse,
    },
  }),
};

export function routeTargets(app: OpenAPIHono<ApiEnv>, dependencies: TargetsDependencies): void {
  const { db, masterKey } = dependencies;
  app.openapi(endpoints.list, async (c) => {
    const { name, ...query } = c.req.valid("query");
    const { page: wanted, cursor } = readPage("targets", query, { name });
    const page = toPage(await listTargets(db, masterKey, wanted, { name }), query.limit, cursor);
    return c.json({ data: page.rows.map(showTarget), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(endpoints.create, async (c) => {
    const given = c.req.valid("json");
    const secret = generateSigningSecret();
    // A caller that gives no name did not ask for this one either, so that a taken one is no error of the caller.
    const takenName = given.name === undefined ? "add_number" : "refuse";
    const target = showTarget(await createTarget(c, dependencies, toTargetSettings(given), secret, takenName));
    c.header("location", `/v1/targets/${target.id}`);
    const shownOnce = isChatKind(target.kind) ? {} : { new_signing_secret: secret.text };
    return c.json({ ...withEtag(c, target), ...shownOnce }, 201);
  });

  app.openapi(endpoints.read, async (c) => {
    const id = readTargetId(c.req.valid("param").id);
    return c.json(withEtag(c, showTarget(await findTarget(db, masterKey, id))), 200);
  });

  app.openapi(endpoints.update, async (c) => {
    const id = readTargetId(c.req.valid("param").id);
    const change = c.req.valid("json");
    const changed = await updateTarget(c, dependencies, id, (current) => applyChange(current, change));
    return c.json(withEtag(c, showTarget(changed)), 200);
  });

  app.openapi(endpoints.delete, async (c) => {
    await deleteTarget(c, dependencies, readTargetId(c.req.valid("param").id));
    return c.body(null, 204);
  });
}
