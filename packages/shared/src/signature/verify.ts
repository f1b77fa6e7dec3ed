// Verification of one request against one source: pure, on raw bytes, and able to say why it refused.
// A source names the schemes that it accepts; another scheme's signature is as good as none.

import type { KeyObject } from "node:crypto";

import { verifyV1 } from "./v1.ts";

/** How a request can fail. Stable: shown to the sender, counted, and explained in docs/errors.md. */
export const REFUSAL_REASONS = [
  "missing_header",
  "malformed_header",
  "malformed_signature",
  "unaccepted_scheme",
  "stale_timestamp",
  "future_timestamp",
  "no_secret",
  "signature_mismatch",
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** The id is the one that the signature binds. */
export type Verdict =
  | { accepted: true; scheme: Scheme; webhookId: string }
  | { accepted: false; reason: RefusalReason; detail: string };

export type Scheme = "v1";

export interface VerificationKeys {
  schemes: readonly Scheme[];
  toleranceSeconds: number;
  /** HMAC keys that are valid now. */
  hmacKeys: readonly KeyObject[];
}

export interface SignedRequest {
  webhookId: string | undefined;
  timestamp: string | undefined;
  signature: string | undefined;
  body: Uint8Array;
}

/** Longest id that is taken; Standard Webhooks' ids are some 30 characters. */
const MAX_ID_LENGTH = 256;
/** A rotation sends two signatures; more than this is an attempt to buy verification time. */
const MAX_SIGNATURES = 8;
const HEADERS = ["webhookId", "timestamp", "signature"] as const;
const HEADER_NAMES = { webhookId: "webhook-id", timestamp: "webhook-timestamp", signature: "webhook-signature" };

const refuse = (reason: RefusalReason, detail: string): Verdict => ({ accepted: false, reason, detail });

/** @param nowMs the receiver's clock, milliseconds since 1970. */
export function verify(request: SignedRequest, keys: VerificationKeys, nowMs: number): Verdict {
  for (const header of HEADERS) {
    if (!request[header]) return refuse("missing_header", `the header ${HEADER_NAMES[header]} is missing`);
  }
  const { webhookId = "", timestamp = "", signature = "" } = request;
  // A dot would let bytes move between id, timestamp and body under one signature.
  if (webhookId.length > MAX_ID_LENGTH || !/^[\x21-\x2d\x2f-\x7e]+$/.test(webhookId)) {
    return refuse("malformed_header", `webhook-id must be at most ${MAX_ID_LENGTH} printable characters without a dot`);
  }
  // Strict: parseInt would read "123junk" and "1e9".
  if (!/^(0|[1-9][0-9]{0,11})$/.test(timestamp)) {
    return refuse("malformed_header", "webhook-timestamp must be an integer of seconds since 1970");
  }
  const parts = signature.split(" ").filter((part) => part !== "");
  const v1 = parts.filter((part) => part.startsWith("v1,")).map((part) => part.slice(3));
  if (parts.length > MAX_SIGNATURES || parts.some((part) => !/^[A-Za-z0-9]+,.+$/.test(part))) {
    return refuse(
      "malformed_signature",
      `webhook-signature must be 1 to ${MAX_SIGNATURES} parts of the form "version,base64"`,
    );
  }
  if (!keys.schemes.includes("v1") || v1.length === 0) {
    return refuse(
      "unaccepted_scheme",
      `none of the signatures is of a scheme that this source accepts: ${keys.schemes.join(", ")}`,
    );
  }
  // The clock is read against the header before any MAC: a flood of old requests stays cheap.
  const ageSeconds = Math.floor(nowMs / 1000) - Number(timestamp);
  if (ageSeconds > keys.toleranceSeconds) {
    return refuse(
      "stale_timestamp",
      `webhook-timestamp is ${ageSeconds} s old; at most ${keys.toleranceSeconds} s are accepted`,
    );
  }
  if (-ageSeconds > keys.toleranceSeconds) {
    return refuse(
      "future_timestamp",
      `webhook-timestamp is ${-ageSeconds} s ahead; at most ${keys.toleranceSeconds} s are accepted`,
    );
  }
  if (keys.hmacKeys.length === 0) return refuse("no_secret", "this source has no signing secret yet");
  return verifyV1(keys.hmacKeys, v1, webhookId, timestamp, request.body)
    ? { accepted: true, scheme: "v1", webhookId }
    : refuse("signature_mismatch", "no signature matches the id, the timestamp and the body");
}
