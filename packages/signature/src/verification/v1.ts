// Scheme `v1` of Standard Webhooks 1.0: HMAC-SHA256 over `{id}.{timestamp}.{raw body}`. It works on the raw bytes with
// node:crypto. The library `standardwebhooks` decodes the body as text, so only the tests use it, as an oracle.

import { equalsInConstantTime } from "../constant-time.ts";
import { refuse } from "../refusal.ts";
import { validKeys } from "../secret.ts";
import { macV1 } from "../signing/v1.ts";
import type { VerificationScheme } from "./scheme.ts";
import { readSignedHeaders } from "./signed-headers.ts";

export const v1: VerificationScheme = {
  name: "v1",
  signsHeaders: true,
  read: (part) => (part.startsWith("v1,") && !part.includes(".") ? part.slice(3) : undefined),
  verify: (signatures, request, { hmacKeys }, nowMs) => {
    const headers = readSignedHeaders(request);
    if (headers.kind === "refused") return headers;
    const { webhookId, timestamp } = headers;
    const { body } = request;
    const keys = validKeys(hmacKeys, nowMs);
    if (keys.length === 0) return refuse("no_secret", "this source has no signing secret yet");
    const matches = keys.some(({ key }) => {
      const expected = macV1(key, webhookId, timestamp, body);
      return signatures.some((signature) => equalsInConstantTime(signature, expected));
    });
    return matches
      ? { kind: "accepted", webhookId, body, userMetadata: undefined, bodyUnbound: false, token: undefined }
      : refuse("signature_mismatch", "no signature matches the id, the timestamp and the body");
  },
};
