// The keys of Standard Webhooks as text: `whsec_` (an HMAC key, for `v1`), `whpk_` and `whsk_` (Ed25519, for `v1a`).

import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject, randomBytes } from "node:crypto";

const PREFIX = "whsec_";
/** The specification asks for 24 to 64 bytes and Gemini gives 32; under 16 a key can be guessed. */
const MIN_BYTES = 16;
const GENERATED_BYTES = 32;

/**
 * An HMAC key and the text that it came from, without white space. A KeyObject, because node:crypto makes one of
 * every Buffer that it is given as a key, which costs several times the MAC itself.
 */
export interface SigningSecret {
  key: KeyObject;
  text: string;
}

/** A source's or a target's, which expires when it was rotated. */
export interface HmacKey {
  key: KeyObject;
  /** Milliseconds since 1970; undefined while it is current. */
  expiresAtMs: number | undefined;
}

/** The keys that are valid at an instant. */
export function validKeys(keys: readonly HmacKey[], nowMs: number): HmacKey[] {
  return keys.filter(({ expiresAtMs }) => expiresAtMs === undefined || expiresAtMs > nowMs);
}

/** Reads a secret; says what is wrong with it without repeating it. */
export function readSigningSecret(text: string): { secret: SigningSecret } | { fault: string } {
  const trimmed = text.trim();
  if (!trimmed.startsWith(PREFIX)) return { fault: `must start with "${PREFIX}"` };
  const encoded = trimmed.slice(PREFIX.length);
  // Buffer.from drops what is not base64, so the alphabet and the length are checked here.
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

/** How a secret is shown after it was made: `whsec_...MnM=`. */
export function truncateSecret(text: string): string {
  return `${PREFIX}...${text.slice(-4)}`;
}

const PUBLIC_PREFIX = "whpk_";
const PRIVATE_PREFIX = "whsk_";
const ED25519_BYTES = 32;

/** Reads `whpk_` and base64 of 32 bytes; says what is wrong with it. */
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

/** Reads `whsk_` and base64 of seed and public key, 64 bytes. @throws Error when it is not that. */
export function readPrivateKey(text: string): KeyObject {
  const raw = Buffer.from(text.slice(PRIVATE_PREFIX.length), "base64");
  if (!text.startsWith(PRIVATE_PREFIX) || raw.length !== 2 * ED25519_BYTES) throw new Error("not a whsk_ key");
  const [d, x] = [raw.subarray(0, ED25519_BYTES), raw.subarray(ED25519_BYTES)];
  const jwk = { kty: "OKP", crv: "Ed25519", d: d.toString("base64url"), x: x.toString("base64url") };
  return createPrivateKey({ key: jwk, format: "jwk" });
}
