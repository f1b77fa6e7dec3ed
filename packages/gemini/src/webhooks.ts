// Gemini's WebhookService: the webhooks that are registered with the project of an API key. Each call is one request,
// and fails with a GeminiFailure. No answer is ever logged whole, because some hold a signing secret.

import type { GoogleGenAI, Webhooks } from "@google/genai";

import type { Secret } from "@sluice/shared/settings/secret";

import { GeminiFailure, toGeminiFailure } from "./failure.ts";
import { type GeminiSettings, openGeminiClient, SENT_ONCE } from "./open-client.ts";

/** Every name that a registration takes (seen on the live service in July 2026). It refuses all others. */
export const REGISTRABLE_EVENTS = [
  "batch.succeeded",
  "batch.expired",
  "batch.failed",
  "interaction.requires_action",
  "interaction.completed",
  "interaction.failed",
  "video.generated",
] as const;

export interface UpstreamSecret {
  /** `whsec_...MnM=` */
  truncated: string;
  /** When it ends, as RFC 3339; null for the one that Gemini made last. */
  expireTime: string | null;
}

/** A webhook as Gemini has it. */
export interface UpstreamWebhook {
  id: string;
  uri: string;
  /** `enabled`, `disabled`, `disabled_due_to_failed_deliveries`, or what Google may add; in small letters. */
  state: string;
  subscribedEvents: string[];
  secrets: UpstreamSecret[];
}

export interface WebhookChange {
  state?: "enabled";
  subscribedEvents?: string[];
}

/** All methods throw {@link GeminiFailure}. A secret is undefined when the answer has none. */
export interface GeminiWebhooks {
  /** Every webhook of the project with just this URI. */
  listByUri: (uri: string) => Promise<UpstreamWebhook[]>;
  /** Also makes the first secret, which nothing shows again. */
  create: (webhook: {
    name: string;
    uri: string;
    subscribedEvents: string[];
  }) => Promise<{ webhook: UpstreamWebhook; secret: string | undefined }>;
  get: (id: string) => Promise<UpstreamWebhook>;
  update: (id: string, change: WebhookChange) => Promise<UpstreamWebhook>;
  /** Makes a new secret, which nothing shows again. The earlier ones sign beside it for 24 hours. */
  rotate: (id: string) => Promise<string | undefined>;
  /** Asks for an event of a webhook. Gemini answers the same whether or not the event can be delivered. */
  ping: (id: string) => Promise<void>;
  delete: (id: string) => Promise<void>;
}

/** The largest page that Gemini gives. */
const PAGE_SIZE = 1_000;
/** A list that goes on for ever MUST NOT use up the budget. */
const MAX_PAGES = 20;

export async function openGeminiWebhooks(key: Secret<string>, settings: GeminiSettings): Promise<GeminiWebhooks> {
  const { webhooks } = await openGeminiClient(key, settings);
  const call = async <T>(name: string, send: () => Promise<T>): Promise<T> => {
    try {
      return await send();
    } catch (error) {
      throw toGeminiFailure(error, `webhooks.${name}`, key.reveal());
    }
  };
  return {
    listByUri: (uri) => call("list", () => listByUri(webhooks, uri)),
    create: ({ name, uri, subscribedEvents }) =>
      call("create", async () => {
        const created = await webhooks.create({ name, uri, subscribed_events: subscribedEvents }, SENT_ONCE);
        return { webhook: readWebhook(created, "create"), secret: created.new_signing_secret };
      }),
    get: (id) => call("get", async () => readWebhook(await webhooks.get(id, {}, SENT_ONCE), "get")),
    update: (id, { state, subscribedEvents }) =>
      call("update", async () => {
        const change = {
          ...(state !== undefined && { state }),
          ...(subscribedEvents !== undefined && { subscribed_events: subscribedEvents }),
        };
        return readWebhook(await webhooks.update(id, change, SENT_ONCE), "update");
      }),
    rotate: (id) =>
      call("rotateSigningSecret", async () => {
        const behavior = { revocation_behavior: "revoke_previous_secrets_after_h24" } as const;
        return (await webhooks.rotateSigningSecret(id, behavior, SENT_ONCE)).secret;
      }),
    ping: (id) => call("ping", async () => void (await webhooks.ping(id, undefined, SENT_ONCE))),
    delete: (id) => call("delete", async () => void (await webhooks.delete(id, {}, SENT_ONCE))),
  };
}

async function listByUri(webhooks: GoogleGenAI["webhooks"], uri: string): Promise<UpstreamWebhook[]> {
  const found: UpstreamWebhook[] = [];
  let token: string | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const page = await webhooks.list(
      { page_size: PAGE_SIZE, ...(token !== undefined && { page_token: token }) },
      SENT_ONCE,
    );
    const matching = (page.webhooks ?? []).filter((webhook) => webhook.uri === uri);
    found.push(...matching.map((webhook) => readWebhook(webhook, "list")));
    token = page.next_page_token;
    if (token === undefined || token === "") return found;
  }
  throw new GeminiFailure("refused", "webhooks.list", `the list has more than ${MAX_PAGES} pages`);
}

/** @throws GeminiFailure for an answer that is no webhook, such as the page of a proxy. */
function readWebhook(webhook: Webhooks.Webhook, call: string): UpstreamWebhook {
  // The type promises more than a proxy keeps.
  const shown: Partial<Webhooks.Webhook> = webhook;
  const { id, uri, state = "unknown", subscribed_events: events = [], signing_secrets: secrets = [] } = shown;
  if (typeof id !== "string" || id === "" || typeof uri !== "string") {
    throw new GeminiFailure("unreachable", `webhooks.${call}`, "the answer is not a webhook");
  }
  return {
    id,
    uri,
    state: state.toLowerCase(),
    subscribedEvents: [...events],
    secrets: secrets.map(({ truncated_secret: truncated = "", expire_time: end }) => ({
      truncated,
      expireTime: end ?? null,
    })),
  };
}
