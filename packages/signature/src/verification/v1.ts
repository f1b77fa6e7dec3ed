// Scheme `v1` of Standard Webhooks 1.0: HMAC-SHA256 over `{id}.{timestamp}.{raw body}`. On raw bytes, with
// node:crypto; the library `standardwebhooks` decodes the body as text and is the tests' oracle.

import { timingSafeEqual } from "node:crypto";

import { validKeys } from "../secret.ts";
import { macV1 } from "../signing/v1.ts";
import { refused, type VerificationScheme } from "./scheme.ts";
import { readSignedHeaders } from "./signed-headers.ts";

/** 32 bytes in base64. */
const BASE64_MAC_LENGTH = 44;

/** What is compared just now. */
const expected = Buffer.alloc(BASE64_MAC_LENGTH);
const received = Buffer.alloc(BASE64_MAC_LENGTH);

/**
 * Compared as text, so that only the canonical base64 of a MAC is it; constant in time for a text of its length. A
 * character beyond ASCII is several bytes, which base64 has not, or for which there is no place.
 */
function isExpected(signature: string): boolean {
  if (signature.length !== BASE64_MAC_LENGTH || received.write(signature) !== BASE64_MAC_LENGTH) return false;
  return timingSafeEqual(received, expected);
}

export const v1: VerificationScheme = {
  name: "v1",
  signsHeaders: true,
  read: (part) => (part.startsWith("v1,") && !part.includes(".") ? part.slice(3) : undefined),
  verify: (signatures, request, { hmacKeys }, nowMs) => {
    const headers = readSignedHeaders(request);
    if ("kind" in headers) return headers;
    const { webhookId, timestamp } = headers;
    const { body } = request;
    const keys = validKeys(hmacKeys, nowMs);
    if (keys.length === 0) return refused("no_secret", "this source has no signing secret yet");
    const matches = keys.some(({ key }) => {
      expected.write(macV1(key, webhookId, timestamp, body));
      return signatures.some(isExpected);
    });
    return matches
      ? { kind: "accepted", webhookId, body, userMetadata: undefined, bodyUnbound: false }
      : refused("signature_mismatch", "no signature matches the id, the timestamp and the body");
  },
};
