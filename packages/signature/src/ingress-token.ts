// Ingress tokens: the unguessable part of a dynamic source's address. A signature of Google's does not say for
// whom it is, so whoever can name the address can have events signed for it; the token keeps it from being named.

import { createHash, randomBytes } from "node:crypto";

const PREFIX = "it_";
const BYTES = 32;

/** An ingress token in memory. */
export interface IngressToken {
  /** SHA-256 of its text. */
  hash: Buffer;
  /** Milliseconds since 1970; undefined while it is current. */
  expiresAtMs: number | undefined;
}

export function generateIngressToken(): string {
  return PREFIX + randomBytes(BYTES).toString("base64url");
}

/** A token is 256 random bits, so a slow hash would add nothing. */
export function hashIngressToken(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** How a token is shown after it was made: `it_...mNoP`. */
export function truncateIngressToken(text: string): string {
  return `${PREFIX}...${text.slice(-4)}`;
}
