// Signs with scheme `v1a`: Ed25519 over the signed content. For tests: the relay itself only signs with `v1`.

import { type KeyObject, sign } from "node:crypto";

import { signedContent } from "@sluice/signature/signed-content";

/**
 * @param key an Ed25519 private key.
 * @returns one part of a `webhook-signature` header: `v1a,<base64>`.
 */
export function signV1a(key: KeyObject, webhookId: string, timestamp: string, body: Uint8Array): string {
  return `v1a,${sign(null, signedContent(webhookId, timestamp, body), key).toString("base64")}`;
}
