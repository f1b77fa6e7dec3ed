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
import { jsonAnswer, jsonBody, noBody } from "../openapi/endpoint.ts";
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
  webhookRotation,
  webhookSchema,
  webhookUpdateQuery,
} from "./webhook-schema.ts";

const tags = ["webhooks"];
/** Google's service does not know names that are taken: two webhooks there may have one name. */
const MANNER = { view: showWebhook, takenName: "add_number" } as const;
const empty = z.object({});

const describeWebhookEndpoints = (version: "v1" | "v1beta") => {
  const rotate = {
    method: "post",
    tags,
    summary: "Rotate the signing secret of a webhook",
    request: { params, query: anyQuery, body: { content: { "application/json": { schema: webhookRotation } } } },
    responses: {
      200: jsonAnswer(
        "The new secret",
        z.object({ secret: z.string().openapi({ example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }) }),
      ),
      ...googleProblems("limit_reached", "precondition_failed"),
      default: googleErrorResponse,
    },
  } as const;
  return {
    list: createRoute({
      method: "get",
      path: `/${version}/webhooks`,
      tags,
      summary: "List webhooks, newest first",
      request: { query: webhookListQuery },
      responses: {
        200: jsonAnswer(
          "A page of webhooks",
          z.object({
            webhooks: z.array(webhookSchema),
            next_page_token: z.string().optional().openapi({ description: "Absent on the last page" }),
          }),
        ),
        default: googleErrorResponse,
      },
    }),
    create: createRoute({
      method: "post",
      path: `/${version}/webhooks`,
      tags,
      summary: "Create a webhook; it is also a target",
      request: { query: anyQuery, body: jsonBody(newWebhook) },
      responses: { 200: jsonAnswer("The webhook", createdWebhook), default: googleErrorResponse },
    }),
    get: createRoute({
      method: "get",
      path: `/${version}/webhooks/{id}`,
      tags,
      summary: "Get a webhook",
      request: { params, query: anyQuery },
      responses: { 200: jsonAnswer("The webhook", webhookSchema), default: googleErrorResponse },
    }),
    update: createRoute({
      method: "patch",
      path: `/${version}/webhooks/{id}`,
      tags,
      summary: "Change the fields of a webhook that `update_mask` names",
      request: { params, query: webhookUpdateQuery, body: jsonBody(webhookChange) },
      responses: {
        200: jsonAnswer("The webhook", webhookSchema),
        ...googleProblems("precondition_failed"),
        default: googleErrorResponse,
      },
    }),
    delete: createRoute({
      method: "delete",
      path: `/${version}/webhooks/{id}`,
      tags,
      summary: "Delete a webhook and cancel its pending deliveries",
      request: { params, query: anyQuery },
      responses: {
        200: jsonAnswer("The webhook is deleted", empty),
        ...googleProblems("precondition_failed"),
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
      summary: "Send a signed event of the type `ping` to a webhook, regardless of its state",
      description:
        "The relay attempts the ping once. If the webhook does not answer it with a 2xx, the error is FAILED_PRECONDITION.",
      request: { params, query: anyQuery, body: noBody },
      responses: {
        200: jsonAnswer("The webhook answered the ping with a 2xx", empty),
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

  app.openapi(endpoints.list, async (c) => {
    const { page_size: limit, page_token: token = "" } = c.req.valid("query");
    const { page: wanted, cursor } = readPage("webhooks", { limit, cursor: token === "" ? undefined : token });
    const page = toPage(await listTargets(db, masterKey, wanted), limit, cursor);
    const next = page.nextCursor === null ? {} : { next_page_token: page.nextCursor };
    return c.json({ webhooks: page.rows.map(showWebhook), ...next }, 200);
  });

  app.openapi(endpoints.create, async (c) => {
    const secret = generateSigningSecret();
    const made = await createTarget(c, dependencies, toWebhookSettings(c.req.valid("json")), secret, "add_number");
    return c.json({ ...withEtag(c, showWebhook(made)), new_signing_secret: secret.text }, 200);
  });

  app.openapi(endpoints.get, async (c) => {
    const id = readWebhookId(c.req.valid("param").id);
    return c.json(withEtag(c, showWebhook(await asWebhook(findTarget(db, masterKey, id)))), 200);
  });

  app.openapi(endpoints.update, async (c) => {
    const id = readWebhookId(c.req.valid("param").id);
    const given = c.req.valid("json");
    const { update_mask: mask } = c.req.valid("query");
    const change = (current: TargetSettings) => applyWebhookChange(current, given, mask);
    const changed = await asWebhook(updateTarget(c, dependencies, id, change, MANNER));
    return c.json(withEtag(c, showWebhook(changed)), 200);
  });

  app.openapi(endpoints.delete, async (c) => {
    await asWebhook(deleteTarget(c, dependencies, readWebhookId(c.req.valid("param").id), MANNER));
    return c.json({}, 200);
  });

  for (const endpoint of [
    verbEndpoint(app, endpoints.rotate),
    { ...endpoints.rotateByPath, middleware: [takeEmptyBody] },
  ]) {
    app.openapi(endpoint, async (c) => {
      const id = readWebhookId(c.req.valid("param").id);
      const secret = generateSigningSecret();
      const isAtOnce = c.req.valid("json").revocation_behavior === "revoke_previous_secrets_immediately";
      const previous = isAtOnce ? "revoke_immediately" : "revoke_after_24h";
      await asWebhook(rotateTargetSecret(c, dependencies, id, secret, previous, MANNER));
      return c.json({ secret: secret.text }, 200);
    });
  }

  app.openapi(verbEndpoint(app, endpoints.ping), async (c) => {
    const id = readWebhookId(c.req.valid("param").id);
    const { delivery, attempt } = await asWebhook(testTarget(c, dependencies, id, "ping"));
    if (delivery.status === "succeeded") return c.json({}, 200);
    const outcome =
      attempt === undefined
        ? "was not attempted in time, and a worker will attempt it later"
        : `was answered with ${attempt.error ?? `the status ${attempt.statusCode}`}`;
    throw new SluiceError("ping_failed", `The ping ${outcome}; its delivery is ${formatId("dlv", delivery.id)}`);
  });
}
