// Decides whether a JWT is bound to the body of its request. A token proves only what it contains: the event itself, or
// a hash of the body. A token with neither proves only that its sender once got a token.

import { createHash, timingSafeEqual } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

import { isObject } from "@sluice/shared/domain/envelope";

import { parseStrictJson } from "./strict-json.ts";

export type BodyBinding =
  /** The token contains the event of the body, or a hash of the body. */
  | { kind: "bound" }
  /** The request has no body, so the event in the claims becomes the body. */
  | { kind: "carried"; body: Buffer }
  /** The token contains neither an event nor a hash. */
  | { kind: "unbound" }
  /** The token contains another event, or the hash of another body. */
  | { kind: "mismatch" };

const HASH_CLAIMS = ["body_hash", "body_sha256", "payload_hash", "sha256"];

type TokenClaims = Record<string, unknown>;

/** @param claims the claims of a token whose signature is verified. */
export function bindBody(claims: TokenClaims, body: Buffer): BodyBinding {
  const hash = HASH_CLAIMS.map((name) => claims[name]).find((value) => value !== undefined);
  if (hash !== undefined) return isHashOf(hash, body) ? { kind: "bound" } : { kind: "mismatch" };
  const event = findEvent(claims);
  if (event === undefined) return { kind: "unbound" };
  if (body.length === 0) return { kind: "carried", body: Buffer.from(JSON.stringify(event)) };
  return isDeepStrictEqual(parseBody(body), event) ? { kind: "bound" } : { kind: "mismatch" };
}

/** @returns the event under `event` or `data`. If there is none, the claims themselves when they are an event. */
function findEvent(claims: TokenClaims): Record<string, unknown> | undefined {
  for (const nested of [claims["event"], claims["data"]]) if (isEvent(nested)) return nested;
  if (!isEvent(claims)) return undefined;
  // The registered claims of RFC 7519 describe the token, not the event.
  const { iss: _iss, sub: _sub, aud: _aud, exp: _exp, nbf: _nbf, iat: _iat, jti: _jti, ...event } = claims;
  return event;
}

function isEvent(value: unknown): value is Record<string, unknown> {
  return isObject(value) && typeof value["type"] === "string" && isObject(value["data"]);
}

function parseBody(body: Buffer): unknown {
  try {
    // Strict, because targets get the bytes: they could read ambiguous JSON as another event.
    return parseStrictJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return undefined;
  }
}

/** The claim is SHA-256 in hex, base64 or base64url. A prefix `sha256-`, `sha256=` or `sha256:` is allowed. */
function isHashOf(claim: unknown, body: Buffer): boolean {
  if (typeof claim !== "string") return false;
  const text = claim.replace(/^sha-?256[-=:]/i, "");
  const claimed = Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? "hex" : "base64url");
  const actual = createHash("sha256").update(body).digest();
  return claimed.length === actual.length && timingSafeEqual(claimed, actual);
}
