// Signs with scheme `v1`: HMAC-SHA256 over the signed content. The relay signs deliveries this way, and
// verification/v1.ts computes the same MAC for requests that arrive.

import { createHmac, type KeyObject } from "node:crypto";

/** @returns one part of a `webhook-signature` header: `v1,<base64>`. */
export function signV1(key: KeyObject, webhookId: string, timestamp: string, body: Uint8Array): string {
  return `v1,${macV1(key, webhookId, timestamp, body)}`;
}

/** @returns the MAC in base64. Two updates avoid a copy of the body. */
export function macV1(key: KeyObject, webhookId: string, timestamp: string, body: Uint8Array): string {
  return createHmac("sha256", key).update(`${webhookId}.${timestamp}.`).update(body).digest("base64");
}
