// POST /v1/targets/{id}:rotate-secret: a new signing secret for a target. While the service changes over to it, the relay
// signs every attempt with the new and the earlier secrets.

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";

import { generateSigningSecret } from "@sluice/signature/secret";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { withEtag } from "../http/etag.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { generatedSecret, secretRotation } from "../sources/signing-secret.ts";
import { rotateTargetSecret } from "./target-change.ts";
import {
  readTargetId,
  targetParams as params,
  type TargetsDependencies,
  targetTags as tags,
} from "./target-endpoint.ts";
import { showTarget, targetSchema } from "./target-schema.ts";

const rotatedTarget = targetSchema.extend({ new_signing_secret: generatedSecret }).openapi("RotatedTarget");

const endpoint = createRoute({
  method: "post",
  path: "/v1/targets/{id}:rotate-secret",
  tags,
  summary: "Rotate the signing secret of a target",
  description: "Until the earlier secrets expire, the relay signs every attempt with all secrets of the target.",
  request: { params, query: noParameters, body: jsonBody(secretRotation) },
  responses: {
    200: jsonAnswer("The target. The new secret is the last one.", rotatedTarget, "ETag"),
    ...problems("limit_reached", "wrong_kind", "precondition_failed", "managed_by_file"),
    default: problemResponse,
  },
});

export function routeTargetRotation(app: OpenAPIHono<ApiEnv>, dependencies: TargetsDependencies): void {
  app.openapi(verbEndpoint(app, endpoint), async (c) => {
    const id = readTargetId(c.req.valid("param").id);
    const { secret: given, previous } = c.req.valid("json");
    const secret = given ?? generateSigningSecret();
    const target = showTarget(await rotateTargetSecret(c, dependencies, id, secret, previous));
    return c.json({ ...withEtag(c, target), ...(given === undefined && { new_signing_secret: secret.text }) }, 200);
  });
}
