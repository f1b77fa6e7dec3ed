// Whether a JWT binds the body that came with it. A token proves what it holds: the event itself, or a hash of
// the body. One that holds neither proves only that somebody once got a token.

import { createHash, timingSafeEqual } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

import { isObject } from "@sluice/shared/domain/envelope";
import { parseStrictJson } from "./strict-json.ts";

export type Binding =
  | { kind: "bound" }
  /** The request had no body: the event of the claims is the event. */
  | { kind: "carried"; body: Buffer }
  | { kind: "unbound" }
  | { kind: "mismatch" };

const HASH_CLAIMS = ["body_hash", "body_sha256", "payload_hash", "sha256"];

type Json = Record<string, unknown>;

/** @param claims of a token that is verified. */
export function bindBody(claims: Json, body: Buffer): Binding {
  const hash = HASH_CLAIMS.map((name) => claims[name]).find((value) => value !== undefined);
  if (hash !== undefined) return isHashOf(hash, body) ? { kind: "bound" } : { kind: "mismatch" };
  const event = findEvent(claims);
  if (event === undefined) return { kind: "unbound" };
  if (body.length === 0) return { kind: "carried", body: Buffer.from(JSON.stringify(event)) };
  return isDeepStrictEqual(parse(body), event) ? { kind: "bound" } : { kind: "mismatch" };
}

/** The event that the claims hold: under `event` or `data`, or the claims themselves. */
function findEvent(claims: Json): Json | undefined {
  for (const nested of [claims["event"], claims["data"]]) if (isEvent(nested)) return nested;
  if (!isEvent(claims)) return undefined;
  // The registered claims of RFC 7519 speak of the token, not of the event.
  const { iss: _iss, sub: _sub, aud: _aud, exp: _exp, nbf: _nbf, iat: _iat, jti: _jti, ...event } = claims;
  return event;
}

function isEvent(value: unknown): value is Json {
  return isObject(value) && typeof value["type"] === "string" && isObject(value["data"]);
}

function parse(body: Buffer): unknown {
  try {
    // Strict, because targets get the bytes: what another reader could take for another event is not this event.
    return parseStrictJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return undefined;
  }
}

/** SHA-256 in hex, base64 or base64url, with or without a `sha256-`, `sha256=` or `sha256:` before it. */
function isHashOf(claim: unknown, body: Buffer): boolean {
  if (typeof claim !== "string") return false;
  const text = claim.replace(/^sha-?256[-=:]/i, "");
  const claimed = Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? "hex" : "base64url");
  const actual = createHash("sha256").update(body).digest();
  return claimed.length === actual.length && timingSafeEqual(claimed, actual);
}
