// /v1/targets/by-name/{name}: reads, makes, replaces and deletes a target by the name that a script gave it.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { isChatKind } from "@sluice/shared/domain/target-kinds";
import { generateSigningSecret } from "@sluice/signature/secret";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { withEtag } from "../http/etag.ts";
import { problems } from "../http/problems.ts";
import { putByName, requireNameOfPath } from "../http/put-by-name.ts";
import { jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { findTarget } from "./find-target.ts";
import { createTarget, deleteTarget, updateTarget } from "./target-change.ts";
import { type TargetsDependencies, targetTags as tags } from "./target-endpoint.ts";
import { targetName, targetReplacement } from "./target-request.ts";
import { createdTarget, showTarget, targetSchema, toReplacement, toTargetSettings } from "./target-schema.ts";

const path = "/v1/targets/by-name/{name}";
const params = z.object({ name: targetName.openapi({ example: "billing" }) });

const endpoints = {
  read: createRoute({
    method: "get",
    path,
    operationId: "getTargetByName",
    tags,
    summary: "Read the target of a name",
    description: "Names are compared character by character. In the path, they are percent-encoded.",
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The target", targetSchema, "ETag"), default: problemResponse },
  }),
  replace: createRoute({
    method: "put",
    path,
    operationId: "replaceTargetByName",
    tags,
    summary: "Create or replace the target of a name",
    description:
      "Makes a target with this name, or replaces the settings of the target that has it. What the body leaves out goes back to its default, also `state`. Credentials stay: signing secrets, `headers`, " +
      "and the client certificate with its key in `tls`. A new signing secret is only in the answer 201.",
    request: { params, query: noParameters, body: jsonBody(targetReplacement) },
    responses: {
      200: jsonAnswer("The target, with its new settings", targetSchema, "ETag"),
      201: jsonAnswer("The new target", createdTarget, "ETag", "Location"),
      ...problems("name_taken", "precondition_failed", "managed_by_file"),
      default: problemResponse,
    },
  }),
  delete: createRoute({
    method: "delete",
    path,
    operationId: "deleteTargetByName",
    tags,
    summary: "Delete the target of a name",
    description: "Its pending deliveries are cancelled, and its log stays. The name is free again at once.",
    request: { params, query: noParameters },
    responses: {
      204: { description: "The target is deleted" },
      ...problems("precondition_failed", "managed_by_file"),
      default: problemResponse,
    },
  }),
};

export function routeTargetsByName(app: OpenAPIHono<ApiEnv>, dependencies: TargetsDependencies): void {
  const { db, masterKey } = dependencies;
  app.openapi(endpoints.read, async (c) =>
    c.json(withEtag(c, showTarget(await findTarget(db, masterKey, c.req.valid("param")))), 200),
  );

  app.openapi(endpoints.replace, async (c) => {
    const { name } = c.req.valid("param");
    const given = c.req.valid("json");
    requireNameOfPath(name, given.name);
    const secret = generateSigningSecret();
    const done = await putByName(c, {
      replace: () => updateTarget(c, dependencies, { name }, (current) => toReplacement(current, given)),
      create: () => createTarget(c, dependencies, toTargetSettings({ ...given, name }), secret, "refuse"),
    });
    if (done.kind === "replaced") return c.json(withEtag(c, showTarget(done.replaced)), 200);
    const target = showTarget(done.created);
    c.header("location", `/v1/targets/${target.id}`);
    const shownOnce = isChatKind(target.kind) ? {} : { new_signing_secret: secret.text };
    return c.json({ ...withEtag(c, target), ...shownOnce }, 201);
  });

  app.openapi(endpoints.delete, async (c) => {
    await deleteTarget(c, dependencies, c.req.valid("param"));
    return c.body(null, 204);
  });
}
