// Signs with scheme `v1`: HMAC-SHA256 over the signed content. The way out, and the mirror of verification/v1.ts.

import { createHmac, type KeyObject } from "node:crypto";

/** One part of a `webhook-signature` header: `v1,<base64>`. */
export function signV1(key: KeyObject, webhookId: string, timestamp: string, body: Uint8Array): string {
  return `v1,${macV1(key, webhookId, timestamp, body)}`;
}

/** The MAC in base64. In two updates: a body is not copied to be signed. */
export function macV1(key: KeyObject, webhookId: string, timestamp: string, body: Uint8Array): string {
  return createHmac("sha256", key).update(`${webhookId}.${timestamp}.`).update(body).digest("base64");
}
