// POST /v1/sources/{id}:verify: what the ingress says to a webhook that somebody captured. It finds out why a webhook is refused,
// with the secrets that the relay holds, and changes nothing.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { SCHEMES_OF } from "@sluice/signature/schemes";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer, jsonBody, noParameters, orNull } from "../openapi/endpoint.ts";
import { refusalReason } from "../openapi/refusal-reason.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { findSource } from "./find-source.ts";
import { readSourceId, sourceParams, type SourcesDependencies, sourceTags as tags } from "./source-endpoint.ts";

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const capturedWebhook = z
  .strictObject({
    headers: z
      .record(z.string().max(256), z.string().max(16_384))
      .refine((headers) => Object.keys(headers).length <= 100, "must be at most 100 headers")
      .openapi({
        description: "The headers of the request. Upper and lower case of their names do not differ.",
        example: {
          "webhook-id": "msg_1",
          "webhook-timestamp": "1769083200",
          "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
        },
      }),
    body: z.string().regex(BASE64, "must be base64").default("").openapi({
      description: "The exact bytes of the body, in base64",
      example: "eyJ0eXBlIjoiYmF0Y2guc3VjY2VlZGVkIn0=",
    }),
    token: z.string().max(8_192).optional().openapi({
      description: "The part of the path behind the name of the source. A dynamic source needs it.",
    }),
    judged_at: z.iso
      .datetime({ offset: true, error: "must be a time of RFC 3339 such as 2027-01-22T12:00:00Z" })
      .transform((text) => new Date(text))
      .optional()
      .openapi({
        type: "string",
        format: "date-time",
        description: "Judges the request as if it came at this time. The default is now.",
      }),
  })
  .openapi("CapturedWebhook");

const verification = z
  .object({
    verdict: z.enum(["accepted", "refused", "undecidable"]).openapi("VerificationVerdict", {
      description: "`undecidable`: the relay could not fetch the key set of the source yet",
    }),
    scheme: orNull(z.enum([...SCHEMES_OF.static, ...SCHEMES_OF.dynamic]).openapi("VerifiedScheme")).openapi({
      description: "The scheme that proves the request; null if none does",
      example: "v1",
    }),
    reason: orNull(refusalReason).openapi({ description: "Null unless the request is refused", example: null }),
    detail: z.string().nullable().openapi({ description: "Says what is wrong; null unless the request is refused" }),
    webhook_id: z
      .string()
      .nullable()
      .openapi({ description: "The id under which an accepted webhook is deduplicated" }),
    body_unbound: z.boolean().openapi({ description: "Whether the signature proves the sender and not the body" }),
    judged_at: z.string().openapi({ format: "date-time" }),
  })
  .openapi("Verification");

const endpoint = createRoute({
  method: "post",
  path: "/v1/sources/{id}:verify",
  tags,
  summary: "Say what the relay answers to a captured webhook",
  description:
    "The relay judges the request by the source's settings, secrets and key set, in the order of the ingress. Nothing is " +
    "stored and no callback URL is used up.",
  request: { params: sourceParams, query: noParameters, body: jsonBody(capturedWebhook) },
  responses: {
    200: jsonAnswer("What the relay answers", verification),
    ...problems("unavailable"),
    default: problemResponse,
  },
});

export function routeSourceVerification(app: OpenAPIHono<ApiEnv>, { db, examine }: SourcesDependencies): void {
  app.openapi(verbEndpoint(app, endpoint), async (c) => {
    const { name } = await findSource(db, readSourceId(c.req.valid("param").id));
    const { headers, body, token, judged_at: at = new Date() } = c.req.valid("json");
    const verdict = await examine({
      sourceName: name,
      token,
      headers: Object.fromEntries(Object.entries(headers).map(([key, value]) => [key.toLowerCase(), value])),
      body: Buffer.from(body, "base64"),
      atMs: at.getTime(),
    });
    const isAccepted = verdict.kind === "accepted";
    const answer = {
      verdict: verdict.kind,
      scheme: isAccepted ? verdict.scheme : null,
      reason: verdict.kind === "refused" ? verdict.reason : null,
      detail: verdict.kind === "refused" ? verdict.detail : null,
      webhook_id: isAccepted ? verdict.webhookId : null,
      body_unbound: isAccepted && verdict.bodyUnbound,
      judged_at: at.toISOString(),
    };
    return c.json(answer, 200);
  });
}
