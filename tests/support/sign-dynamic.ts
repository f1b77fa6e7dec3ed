// Dynamic webhooks as Gemini signs them now: by `v1a`, or by a JWT that holds the event.

import { randomUUID } from "node:crypto";

import { geminiEvent, type SignedWebhook } from "./sign.ts";
import { signJwt, type SigningKey } from "./signing/sign-jwt.ts";
import { signV1a } from "./signing/sign-v1a.ts";

/** @param key an Ed25519 key. */
export function signWebhookByV1a({ key }: SigningKey, body = geminiEvent()): SignedWebhook {
  const webhookId = `msg_${randomUUID()}`;
  const timestamp = String(Math.floor(Date.now() / 1000));
  return withSignature(webhookId, timestamp, signV1a(key, webhookId, timestamp, Buffer.from(body)), body);
}

/** @param claims such as `aud`, in addition to the event and a lifetime of 300 seconds. */
export async function signWebhookByJwt(key: SigningKey, claims: object, body = geminiEvent()): Promise<SignedWebhook> {
  const iat = Math.floor(Date.now() / 1000);
  const event = JSON.parse(body) as object;
  const token = await signJwt(key, { iat, exp: iat + 300, event, ...claims });
  return withSignature(`msg_${randomUUID()}`, String(iat), token, body);
}

function withSignature(webhookId: string, timestamp: string, signature: string, body: string): SignedWebhook {
  const headers = {
    "content-type": "application/json",
    "webhook-id": webhookId,
    "webhook-timestamp": timestamp,
    "webhook-signature": signature,
  };
  return { headers, body: Buffer.from(body), webhookId };
}
