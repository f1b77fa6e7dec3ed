// POST /v1/sources/{id}/signing-secrets: a new signing secret for a static source. While the sender changes over to it,
// the relay also accepts signatures of the earlier secrets.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { generateSigningSecret, type SigningSecret } from "@sluice/signature/secret";
import { secretKnown } from "@sluice/store/configuration/rotation";
import { rotateSourceSecret } from "@sluice/store/configuration/source-secrets";
import { GEMINI_SOURCE, type SourceRecord } from "@sluice/store/configuration/sources";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { requireMatch, withEtag } from "../http/etag.ts";
import { refuseManaged } from "../http/managed.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { findSource, lockSource } from "./find-source.ts";
import { generatedSecret, secretRotation } from "./signing-secret.ts";
import { makeSourceChange } from "./source-change.ts";
import {
  readSourceId,
  sourceParams as params,
  type SourcesDependencies,
  sourceTags as tags,
} from "./source-endpoint.ts";
import { showSource, sourceSchema } from "./source-schema.ts";

const ENVIRONMENT_NOTICE =
  "GEMINI_SIGNING_SECRET goes on verifying webhooks: to revoke it, remove it from the environment of every gateway";

const rotatedSource = sourceSchema
  .extend({
    new_signing_secret: generatedSecret,
    notice: z
      .string()
      .optional()
      .openapi({ description: "Names a secret that the rotation could not revoke, and how to revoke it" }),
  })
  .openapi("RotatedSource");

const endpoint = createRoute({
  method: "post",
  path: "/v1/sources/{id}/signing-secrets",
  tags,
  summary: "Rotate the signing secret of a static source",
  description: "Until the earlier secrets expire, the source accepts the signatures of all its secrets.",
  request: { params, query: noParameters, body: jsonBody(secretRotation) },
  responses: {
    201: jsonAnswer("The source. The new secret is the last of the stored ones.", rotatedSource, "ETag"),
    ...problems("wrong_kind", "limit_reached", "precondition_failed", "managed_by_file"),
    default: problemResponse,
  },
});

export function routeSecretRotation(app: OpenAPIHono<ApiEnv>, dependencies: SourcesDependencies): void {
  const { masterKey, geminiSigningSecret } = dependencies;
  app.openapi(endpoint, async (c) => {
    const id = readSourceId(c.req.valid("param").id);
    const { secret: given, previous } = c.req.valid("json");
    const secret = given ?? generateSigningSecret();
    const { source, environmentSecret } = await makeSourceChange(c, dependencies, async (tx, record) => {
      const current = await lockSource(tx, id);
      const before = showSource(current, geminiSigningSecret);
      requireMatch(c, before);
      refuseManaged(c, "source", current);
      const unrevoked = findEnvironmentSecret(current, geminiSigningSecret);
      if (unrevoked?.key.equals(secret.key) === true) throw secretKnown("is GEMINI_SIGNING_SECRET already");
      await rotateSourceSecret(tx, masterKey, id, secret, previous);
      const after = showSource(await findSource(tx, id), geminiSigningSecret);
      await record({ action: "source.secret_rotated", resourceId: after.id, before, after });
      return { source: after, environmentSecret: unrevoked };
    });
    const remarks = {
      ...(given === undefined && { new_signing_secret: secret.text }),
      ...(environmentSecret !== undefined && { notice: ENVIRONMENT_NOTICE }),
    };
    return c.json({ ...withEtag(c, source), ...remarks }, 201);
  });
}

function findEnvironmentSecret({ name }: SourceRecord, secret: SigningSecret | undefined): SigningSecret | undefined {
  return name === GEMINI_SOURCE ? secret : undefined;
}
