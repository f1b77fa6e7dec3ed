// Signs static webhooks as Gemini does, without the code under test: with the library `standardwebhooks`, or by the
// formula of the specification for a body that the library cannot sign, because it decodes a body as text.

import { createHmac, randomUUID } from "node:crypto";

import { Webhook } from "standardwebhooks";

export interface SignedWebhook {
  headers: Record<string, string>;
  body: Buffer;
  webhookId: string;
}

export interface SignOptions {
  /** `whsec_…` */
  secret: string;
  body: string | Uint8Array;
  webhookId?: string;
  /** Seconds since 1970; now when not given. */
  timestamp?: number;
}

export function signWebhook(options: SignOptions): SignedWebhook {
  const { secret, webhookId = `msg_${randomUUID()}`, timestamp = Math.floor(Date.now() / 1000) } = options;
  const signature =
    typeof options.body === "string"
      ? new Webhook(secret).sign(webhookId, new Date(timestamp * 1000), options.body)
      : signBytes(secret, webhookId, timestamp, options.body);
  const headers = {
    "content-type": "application/json",
    "webhook-id": webhookId,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signature,
  };
  return { headers, body: Buffer.from(options.body as string), webhookId };
}

/**
 * The signature `v1,<base64>` by the formula of
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme.
 */
export function signBytes(secret: string, webhookId: string, timestamp: number, body: Uint8Array): string {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const content = Buffer.concat([Buffer.from(`${webhookId}.${timestamp}.`), body]);
  return `v1,${createHmac("sha256", key).update(content).digest("base64")}`;
}

/** An event of Gemini's catalogue as a JSON text, in Gemini's thin envelope. */
export function geminiEvent(type = "batch.succeeded", data: Record<string, unknown> = { id: "batch_123456" }): string {
  return JSON.stringify({ type, version: "v1", timestamp: new Date().toISOString(), data });
}
