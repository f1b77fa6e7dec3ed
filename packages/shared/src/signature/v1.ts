// Scheme `v1` of Standard Webhooks 1.0: HMAC-SHA256 over `{id}.{timestamp}.{raw body}`. On raw bytes, with
// one-shot node:crypto; the library `standardwebhooks` decodes the body as text and is the tests' oracle.

import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto";

/** 32 bytes in base64. */
const BASE64_MAC_BYTES = 44;

function mac(key: KeyObject, webhookId: string, timestamp: string, body: Uint8Array): string {
  return createHmac("sha256", key).update(`${webhookId}.${timestamp}.`).update(body).digest("base64");
}

/** One part of a `webhook-signature` header: `v1,<base64>`. */
export function signV1(key: KeyObject, webhookId: string, timestamp: string, body: Uint8Array): string {
  return `v1,${mac(key, webhookId, timestamp, body)}`;
}

/**
 * Whether any of the signatures (base64, without `v1,`) is by any of the keys. Compared as text, so that only
 * the canonical base64 of a MAC is it; constant in time for a text of the right length.
 */
export function verifyV1(
  keys: readonly KeyObject[],
  signatures: readonly string[],
  webhookId: string,
  timestamp: string,
  body: Uint8Array,
): boolean {
  const received = signatures.map((text) => Buffer.from(text)).filter((text) => text.length === BASE64_MAC_BYTES);
  if (received.length === 0) return false;
  return keys.some((key) => {
    const expected = Buffer.from(mac(key, webhookId, timestamp, body));
    return received.some((signature) => timingSafeEqual(signature, expected));
  });
}
