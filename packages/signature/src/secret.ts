// Reads and writes the keys of Standard Webhooks as text: `whsec_` (an HMAC key for `v1`) and `whpk_` (a public Ed25519 key
// for `v1a`).

import { createPublicKey, createSecretKey, type KeyObject, randomBytes } from "node:crypto";

const PREFIX = "whsec_";
/** The specification asks for 24 to 64 bytes, and Gemini gives 32. An attacker can guess a key with fewer than 16. */
const MIN_BYTES = 16;
const GENERATED_BYTES = 32;

/** An HMAC key and its text. */
export interface SigningSecret {
  /**
   * A KeyObject and not a Buffer: node:crypto would make a KeyObject of the Buffer for every MAC, which takes several
   * times as long as the MAC itself (bench/README.md).
   */
  key: KeyObject;
  /** `whsec_` and base64, without white space. */
  text: string;
}

/** A signing key of a source or a target. A rotation gives the old key a time at which it expires. */
export interface HmacKey {
  key: KeyObject;
  /** Milliseconds since 1970. Undefined for the current key, which does not expire. */
  expiresAtMs: number | undefined;
}

/** @returns the keys that have not expired at this instant. */
export function validKeys(keys: readonly HmacKey[], nowMs: number): HmacKey[] {
  return keys.filter(({ expiresAtMs }) => expiresAtMs === undefined || expiresAtMs > nowMs);
}

/** Reads a secret. The fault says what is wrong with the text, and never repeats the text. */
export function readSigningSecret(text: string): { secret: SigningSecret } | { fault: string } {
  const trimmed = text.trim();
  if (!trimmed.startsWith(PREFIX)) return { fault: `must start with "${PREFIX}"` };
  const encoded = trimmed.slice(PREFIX.length);
  // Buffer.from skips characters that are not base64, so this pattern checks the alphabet and the length.
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(encoded))
    return { fault: `must be base64 after "${PREFIX}"` };
  const key = Buffer.from(encoded, "base64");
  if (key.length < MIN_BYTES) return { fault: `must hold at least ${MIN_BYTES} bytes after "${PREFIX}"` };
  return { secret: { key: createSecretKey(key), text: trimmed } };
}

export function generateSigningSecret(): SigningSecret {
  const key = randomBytes(GENERATED_BYTES);
  return { key: createSecretKey(key), text: PREFIX + key.toString("base64") };
}

/** @returns the form of a secret that the API shows after its creation: `whsec_...MnM=`. */
export function truncateSecret(text: string): string {
  return `${PREFIX}...${text.slice(-4)}`;
}

const PUBLIC_PREFIX = "whpk_";
const ED25519_BYTES = 32;

/** Reads `whpk_` and base64 of 32 bytes. The fault says what is wrong with the text. */
export function readPublicKey(text: string): { key: KeyObject; text: string } | { fault: string } {
  const trimmed = text.trim();
  const encoded = trimmed.slice(PUBLIC_PREFIX.length);
  const raw = Buffer.from(encoded, "base64");
  if (!trimmed.startsWith(PUBLIC_PREFIX) || raw.length !== ED25519_BYTES || raw.toString("base64") !== encoded) {
    return { fault: `must be "${PUBLIC_PREFIX}" and base64 of ${ED25519_BYTES} bytes` };
  }
  const jwk = { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") };
  return { key: createPublicKey({ key: jwk, format: "jwk" }), text: trimmed };
}
