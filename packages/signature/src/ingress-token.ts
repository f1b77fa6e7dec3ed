// Ingress tokens: the secret part of a dynamic source's address. Google's signature does not say for whom it is. Whoever
// knows an address can therefore make Google send signed events to it. The token keeps strangers from knowing it.

import { createHash, randomBytes } from "node:crypto";

const PREFIX = "it_";
const BYTES = 32;

/** An ingress token as the gateway keeps it in memory. */
export interface IngressToken {
  /** SHA-256 of the token's text. */
  hash: Buffer;
  /** Milliseconds since 1970. Undefined for the current token, which does not expire. */
  expiresAtMs: number | undefined;
}

export function generateIngressToken(): string {
  return PREFIX + randomBytes(BYTES).toString("base64url");
}

/** A fast hash is enough: nobody can guess a token of 256 random bits. */
export function hashIngressToken(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** @returns the form of a token that the API shows after its creation: `it_...mNoP`. */
export function truncateIngressToken(text: string): string {
  return `${PREFIX}...${text.slice(-4)}`;
}
