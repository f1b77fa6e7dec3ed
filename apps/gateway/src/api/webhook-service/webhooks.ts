// /v1/webhooks and /v1beta/webhooks: Gemini's own WebhookService over our targets. The official client can subscribe an
// internal service here: each webhook is a target. Versions 2 and 3 of the client differ only in the path.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { formatId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { generateSigningSecret } from "@sluice/signature/secret";
import { listTargets, type TargetSettings } from "@sluice/store/configuration/targets";

import type { ApiEnv } from "../http/api-env.ts";
import { takeEmptyBody } from "../http/empty-body.ts";
import { withEtag } from "../http/etag.ts";
import { googleErrorResponse } from "../http/google-error.ts";
import { readPage, toPage } from "../http/list.ts";
import { googleProblems } from "../http/problems.ts";
import { emptyBody, jsonAnswer, jsonBody, noBody } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { findTarget } from "../targets/find-target.ts";
import { createTarget, deleteTarget, rotateTargetSecret, updateTarget } from "../targets/target-change.ts";
import { targetParams as params, type TargetsDependencies } from "../targets/target-endpoint.ts";
import { testTarget } from "../targets/target-test.ts";
import {
  anyQuery,
  applyWebhookChange,
  asWebhook,
  createdWebhook,
  newWebhook,
  readWebhookId,
  showWebhook,
  toWebhookSettings,
  webhookChange,
  webhookListQuery,
  webhookNotFound,
  webhookRotation,
  webhookSchema,
  webhookUpdateQuery,
} from "./webhook-schema.ts";

const tags = ["webhooks"];
/** Google's service does not know names that are taken: two webhooks there may have one name. */
const MANNER = { view: showWebhook, takenName: "add_number" } as const;

const webhookPage = z
  .object({
    webhooks: z.array(webhookSchema),
    next_page_token: z.string().optional().openapi({ description: "Absent on the last page" }),
  })
  .openapi("WebhookPage");
const rotatedWebhook = z
  .object({ secret: z.string().openapi({ example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }) })
  .openapi("RotatedWebhookSecret");

const describeWebhookEndpoints = (version: "v1" | "v1beta") => {
  const rotate = {
    method: "post",
    tags,
    summary: "Rotate the signing secret of a webhook",
    description: "Only this answer shows the new secret. The earlier ones are revoked at once, or after 24 hours.",
    request: { params, query: anyQuery, body: { content: { "application/json": { schema: webhookRotation } } } },
    responses: {
      200: jsonAnswer("The new secret", rotatedWebhook),
      ...googleProblems("limit_reached", "managed_by_file", "wrong_kind", "precondition_failed"),
      default: googleErrorResponse,
    },
  } as const;
  return {
    list: createRoute({
      method: "get",
      path: `/${version}/webhooks`,
      tags,
      summary: "List webhooks, newest first",
      description:
        "Every target is a webhook, except pull targets. The `uri` of a chat target is only its scheme and host.",
      request: { query: webhookListQuery },
      responses: {
        200: jsonAnswer("A page of webhooks", webhookPage),
        default: googleErrorResponse,
      },
    }),
    create: createRoute({
      method: "post",
      path: `/${version}/webhooks`,
      tags,
      summary: "Create a webhook",
      description: "The webhook is a target too. Only this answer shows its signing secret.",
      request: { query: anyQuery, body: jsonBody(newWebhook) },
      responses: { 200: jsonAnswer("The webhook", createdWebhook, "ETag"), default: googleErrorResponse },
    }),
    get: createRoute({
      method: "get",
      path: `/${version}/webhooks/{id}`,
      tags,
      summary: "Get a webhook",
      description: "The fields are those of Gemini's WebhookService.",
      request: { params, query: anyQuery },
      responses: { 200: jsonAnswer("The webhook", webhookSchema, "ETag"), default: googleErrorResponse },
    }),
    update: createRoute({
      method: "patch",
      path: `/${version}/webhooks/{id}`,
      tags,
      summary: "Change fields of a webhook",
      description: "Changes the fields that `update_mask` names. The other settings of the target stay as they are.",
      request: { params, query: webhookUpdateQuery, body: jsonBody(webhookChange) },
      responses: {
        200: jsonAnswer("The webhook", webhookSchema, "ETag"),
        ...googleProblems("managed_by_file", "precondition_failed"),
        default: googleErrorResponse,
      },
    }),
    delete: createRoute({
      method: "delete",
      path: `/${version}/webhooks/{id}`,
      tags,
      summary: "Delete a webhook",
      description: "The target is deleted, and its pending deliveries are cancelled. Its log stays.",
      request: { params, query: anyQuery },
      responses: {
        200: jsonAnswer("The webhook is deleted", emptyBody),
        ...googleProblems("managed_by_file", "precondition_failed"),
        default: googleErrorResponse,
      },
    }),
    rotate: createRoute({ ...rotate, path: `/${version}/webhooks/{id}:rotateSigningSecret` }),
    // The curl example in Gemini's documentation has this path.
    rotateByPath: createRoute({ ...rotate, path: `/${version}/webhooks/{id}/rotate_secret` }),
    ping: createRoute({
      method: "post",
      path: `/${version}/webhooks/{id}:ping`,
      tags,
      summary: "Ping a webhook",
      description:
        "The webhook gets a signed event of the type `ping`, regardless of its state. The relay attempts the ping once. If the webhook does not answer it with a 2xx, the error is FAILED_PRECONDITION.",
      request: { params, query: anyQuery, body: noBody },
      responses: {
        200: jsonAnswer("The webhook answered the ping with a 2xx", emptyBody),
        ...googleProblems("ping_failed"),
        default: googleErrorResponse,
      },
    }),
  };
};

export function routeWebhooks(app: OpenAPIHono<ApiEnv>, dependencies: TargetsDependencies): void {
  for (const version of ["v1", "v1beta"] as const) routeVersion(app, describeWebhookEndpoints(version), dependencies);
}

function routeVersion(
  app: OpenAPIHono<ApiEnv>,
  endpoints: ReturnType<typeof describeWebhookEndpoints>,
  dependencies: TargetsDependencies,
): void {
  const { db, masterKey } = dependencies;
  /** @throws SluiceError `not_found`, also for a pull target, which is no webhook. */
  const findId = async (text: string): Promise<string> => {
    const { id, kind } = await asWebhook(findTarget(db, masterKey, readWebhookId(text)));
    if (kind === "pull") throw webhookNotFound();
    return id;
  };

  app.openapi(endpoints.list, async (c) => {
    const { page_size: limit, page_token: token = "" } = c.req.valid("query");
    const { page: wanted, cursor } = readPage("webhooks", { limit, cursor: token === "" ? undefined : token });
    const page = toPage(await listTargets(db, masterKey, wanted, { sent: true }), limit, cursor);
    const next = page.nextCursor === null ? {} : { next_page_token: page.nextCursor };
    return c.json({ webhooks: page.rows.map(showWebhook), ...next }, 200);
  });

  app.openapi(endpoints.create, async (c) => {
    const secret = generateSigningSecret();
    const made = await createTarget(c, dependencies, toWebhookSettings(c.req.valid("json")), secret, "add_number");
    return c.json({ ...withEtag(c, showWebhook(made)), new_signing_secret: secret.text }, 200);
  });

  app.openapi(endpoints.get, async (c) => {
    const id = await findId(c.req.valid("param").id);
    return c.json(withEtag(c, showWebhook(await asWebhook(findTarget(db, masterKey, id)))), 200);
  });

  app.openapi(endpoints.update, async (c) => {
    const id = await findId(c.req.valid("param").id);
    const given = c.req.valid("json");
    const { update_mask: mask } = c.req.valid("query");
    const change = (current: TargetSettings) => applyWebhookChange(current, given, mask);
    const changed = await asWebhook(updateTarget(c, dependencies, id, change, MANNER));
    return c.json(withEtag(c, showWebhook(changed)), 200);
  });

  app.openapi(endpoints.delete, async (c) => {
    await asWebhook(deleteTarget(c, dependencies, await findId(c.req.valid("param").id), MANNER));
    return c.json({}, 200);
  });

  for (const endpoint of [
    verbEndpoint(app, endpoints.rotate),
    { ...endpoints.rotateByPath, middleware: [takeEmptyBody] },
  ]) {
    app.openapi(endpoint, async (c) => {
      const id = await findId(c.req.valid("param").id);
      const secret = generateSigningSecret();
      const isAtOnce = c.req.valid("json").revocation_behavior === "revoke_previous_secrets_immediately";
      const previous = isAtOnce ? "revoke_immediately" : "revoke_after_24h";
      await asWebhook(rotateTargetSecret(c, dependencies, id, secret, previous, MANNER));
      return c.json({ secret: secret.text }, 200);
    });
  }

  app.openapi(verbEndpoint(app, endpoints.ping), async (c) => {
    const id = await findId(c.req.valid("param").id);
    const { delivery, attempt } = await asWebhook(testTarget(c, dependencies, id, "ping"));
    if (delivery.status === "succeeded") return c.json({}, 200);
    const outcome =
      attempt === undefined
        ? "was not attempted in time, and a worker will attempt it later"
        : `was answered with ${attempt.error ?? `the status ${attempt.statusCode}`}`;
    throw new SluiceError("ping_failed", `The ping ${outcome}; its delivery is ${formatId("dlv", delivery.id)}`);
  });
}
