// The secrets of Standard Webhooks' `v1`: `whsec_` and base64 of the HMAC key.

import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";

const PREFIX = "whsec_";
/** The specification asks for 24 to 64 bytes and Gemini gives 32; under 16 a key can be guessed. */
const MIN_BYTES = 16;
const GENERATED_BYTES = 32;

/**
 * An HMAC key and the text that it came from, without white space. A KeyObject, because node:crypto makes one of
 * every Buffer that it is given as a key, which costs five times the MAC itself.
 */
export interface SigningSecret {
  key: KeyObject;
  text: string;
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
