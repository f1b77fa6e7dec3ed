// The secrets of Standard Webhooks' `v1`: `whsec_` and base64 of the HMAC key.

import { randomBytes } from "node:crypto";

const PREFIX = "whsec_";
/** The specification asks for 24 to 64 bytes and Gemini gives 32; under 16 a key can be guessed. */
const MIN_BYTES = 16;
const GENERATED_BYTES = 32;

/** An HMAC key and the text that it came from, without white space. */
export interface SigningSecret {
  key: Buffer;
  text: string;
}

/** Reads a secret; says what is wrong with it without repeating it. */
export function readSigningSecret(text: string): { secret: SigningSecret } | { fault: string } {
  const trimmed = text.trim();
  if (!trimmed.startsWith(PREFIX)) return { fault: `must start with "${PREFIX}"` };
  const encoded = trimmed.slice(PREFIX.length);
  // Buffer.from drops what is not base64, so the alphabet is checked here.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return { fault: `must be base64 after "${PREFIX}"` };
  const key = Buffer.from(encoded, "base64");
  if (key.length < MIN_BYTES) return { fault: `must hold at least ${MIN_BYTES} bytes after "${PREFIX}"` };
  return { secret: { key, text: trimmed } };
}

export function generateSigningSecret(): SigningSecret {
  const key = randomBytes(GENERATED_BYTES);
  return { key, text: PREFIX + key.toString("base64") };
}

/** How a secret is shown after it was made: `whsec_...MnM=`. */
export function truncateSecret(text: string): string {
  return `${PREFIX}...${text.slice(-4)}`;
}
