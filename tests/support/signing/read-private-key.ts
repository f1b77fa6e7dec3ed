// Reads the private keys of Standard Webhooks, `whsk_`. For tests: the relay only verifies `v1a`.

import { createPrivateKey, type KeyObject } from "node:crypto";

const PREFIX = "whsk_";
const SEED_BYTES = 32;
const PUBLIC_KEY_BYTES = 32;

/**
 * Reads `whsk_` and base64 of the seed and the public key.
 * @throws Error when the text has another form.
 */
export function readPrivateKey(text: string): KeyObject {
  const raw = Buffer.from(text.slice(PREFIX.length), "base64");
  if (!text.startsWith(PREFIX) || raw.length !== SEED_BYTES + PUBLIC_KEY_BYTES) throw new Error("not a whsk_ key");
  const [d, x] = [raw.subarray(0, SEED_BYTES), raw.subarray(SEED_BYTES)];
  const jwk = { kty: "OKP", crv: "Ed25519", d: d.toString("base64url"), x: x.toString("base64url") };
  return createPrivateKey({ key: jwk, format: "jwk" });
}
