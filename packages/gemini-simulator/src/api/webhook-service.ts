// WebhookService as the live service was seen to behave. README.md has the sources of each behaviour.

import { ACCEPTED_EVENTS, type RegisteredWebhook, type RegisteredWebhooks } from "../state/registered-webhooks.ts";
import { type ApiCall, objectBody, pageSizeOf, readPageToken, writePageToken } from "./api-call.ts";
import type { ApiRoute } from "./api-route.ts";
import { GeminiError } from "./google-error.ts";
import { isWebUri } from "./webhook-config.ts";

const FIELDS = ["name", "uri", "subscribed_events", "state"];
/** A client may send back what it read. */
const OUTPUT_FIELDS = ["id", "signing_secrets", "new_signing_secret", "create_time", "update_time"];
const REVOCATION_BEHAVIORS = ["revoke_previous_secrets_after_h24", "revoke_previous_secrets_immediately"];
const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

/** @param ping sends the event of a ping. */
export function webhookServiceRoutes(webhooks: RegisteredWebhooks, ping: (webhook: RegisteredWebhook) => void) {
  const find = ({ project, params }: ApiCall): RegisteredWebhook => {
    const id = (params["id"] ?? "").replace(/^webhooks\//, "");
    const webhook = webhooks.find(id, project);
    if (webhook === undefined) throw new GeminiError(404, `Webhook ${id} was not found.`);
    return webhook;
  };
  const show = (webhook: RegisteredWebhook) => describeRegistered(webhook, webhooks);

  const routes: ApiRoute[] = [
    {
      name: "webhooks.create",
      method: "POST",
      path: /^webhooks$/,
      handle: (call) => {
        const fields = readFields(objectBody(call));
        const { name, uri, subscribedEvents } = fields;
        if (uri === undefined) throw new GeminiError(400, "uri: the field is required.");
        if (subscribedEvents === undefined) throw new GeminiError(400, "subscribed_events: the field is required.");
        const webhook = webhooks.create(call.project, { name, uri, subscribedEvents });
        return { ...show(webhook), new_signing_secret: webhook.secrets.at(-1)?.text };
      },
    },
    {
      name: "webhooks.list",
      method: "GET",
      path: /^webhooks$/,
      handle: ({ project, query }) => {
        const size = pageSizeOf(query.get("page_size"), DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE);
        const from = readPageToken(query.get("page_token")) ?? 0;
        const all = webhooks.list(project);
        const isLast = from + size >= all.length;
        return {
          webhooks: all.slice(from, from + size).map(show),
          ...(!isLast && { next_page_token: writePageToken(from + size) }),
        };
      },
    },
    { name: "webhooks.get", method: "GET", path: /^webhooks\/(?<id>[^:]+)$/, handle: (call) => show(find(call)) },
    {
      name: "webhooks.update",
      method: "PATCH",
      path: /^webhooks\/(?<id>[^:]+)$/,
      handle: (call) => {
        const webhook = find(call);
        const fields = readFields(objectBody(call));
        // The mask is ignored: exactly the fields of the body change.
        if (fields.name !== undefined) webhook.name = fields.name;
        if (fields.uri !== undefined) webhook.uri = fields.uri;
        if (fields.subscribedEvents !== undefined) webhook.subscribedEvents = fields.subscribedEvents;
        if (fields.state !== undefined) webhooks.setState(webhook, fields.state);
        return show(webhook);
      },
    },
    {
      name: "webhooks.delete",
      method: "DELETE",
      path: /^webhooks\/(?<id>[^:]+)$/,
      handle: (call) => {
        webhooks.delete(find(call));
        return {};
      },
    },
    {
      name: "webhooks.rotateSigningSecret",
      method: "POST",
      path: /^webhooks\/(?<id>[^:]+):rotateSigningSecret$/,
      handle: (call) => {
        const webhook = find(call);
        const body = call.body === undefined ? {} : objectBody(call);
        refuseUnknown(body, ["revocation_behavior"]);
        const behavior = body["revocation_behavior"] ?? REVOCATION_BEHAVIORS[0];
        if (!REVOCATION_BEHAVIORS.includes(behavior as string))
          throw notOneOf("revocation_behavior", REVOCATION_BEHAVIORS);
        return { secret: webhooks.rotate(webhook, behavior === REVOCATION_BEHAVIORS[0] ? "end_after_24h" : "end_now") };
      },
    },
    {
      name: "webhooks.ping",
      method: "POST",
      path: /^webhooks\/(?<id>[^:]+):ping$/,
      handle: (call) => {
        ping(find(call));
        return {};
      },
    },
  ];
  return routes;
}

function describeRegistered(webhook: RegisteredWebhook, webhooks: RegisteredWebhooks): Record<string, unknown> {
  return {
    id: webhook.id,
    ...(webhook.name !== undefined && { name: webhook.name }),
    uri: webhook.uri,
    subscribed_events: webhook.subscribedEvents,
    state: webhook.state,
    signing_secrets: webhooks.secretsOf(webhook).map(({ text, expiresAtMs }) => ({
      truncated_secret: `whsec_...${text.slice(-4)}`,
      ...(expiresAtMs !== undefined && { expire_time: new Date(expiresAtMs).toISOString() }),
    })),
  };
}

interface SentFields {
  name: string | undefined;
  uri: string | undefined;
  subscribedEvents: string[] | undefined;
  state: "enabled" | "disabled" | undefined;
}

function readFields(body: Record<string, unknown>): SentFields {
  refuseUnknown(body, [...FIELDS, ...OUTPUT_FIELDS]);
  const { name, uri, subscribed_events: events, state } = body;
  if (name !== undefined && typeof name !== "string") throw new GeminiError(400, "name: the value must be a string.");
  if (uri !== undefined && !isWebUri(uri)) throw new GeminiError(400, "uri: the value must be an absolute URI.");
  if (events !== undefined && !areAcceptedEvents(events)) throw notOneOf("subscribed_events", ACCEPTED_EVENTS);
  if (state !== undefined && state !== "enabled" && state !== "disabled")
    throw notOneOf("state", ["enabled", "disabled"]);
  return { name, uri, subscribedEvents: events, state };
}

function refuseUnknown(body: Record<string, unknown>, known: readonly string[]): void {
  const unknown = Object.keys(body).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const snake = unknown.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const hint = known.includes(snake) ? ` Did you mean '${snake}'?` : "";
  throw new GeminiError(400, `Unknown parameter '${unknown}'.${hint}`);
}

function areAcceptedEvents(events: unknown): events is string[] {
  const accepted: readonly unknown[] = ACCEPTED_EVENTS;
  return Array.isArray(events) && events.length > 0 && events.every((event) => accepted.includes(event));
}

const notOneOf = (field: string, values: readonly string[]) =>
  new GeminiError(
    400,
    `Invalid value for '${field}'. Supported values: ${values.map((value) => `'${value}'`).join(", ")}.`,
  );
