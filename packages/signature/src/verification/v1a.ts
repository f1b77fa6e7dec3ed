// Scheme `v1a` of Standard Webhooks 1.0: Ed25519 over the same content as `v1`. The header does not name a key, so
// the verifier tries each key of the source and of the key set.

import { verify } from "node:crypto";

import { refuse } from "../refusal.ts";
import { signedContent } from "../signed-content.ts";
import type { VerificationScheme } from "./scheme.ts";
import { readSignedHeaders } from "./signed-headers.ts";

const SIGNATURE_BYTES = 64;

export const v1a: VerificationScheme = {
  name: "v1a",
  signsHeaders: true,
  read: (part) => (part.startsWith("v1a,") ? part.slice(4) : undefined),
  verify: (signatures, request, { publicKeys, keySet }) => {
    const headers = readSignedHeaders(request);
    if (headers.kind === "refused") return headers;
    const { webhookId, timestamp } = headers;
    const { body } = request;
    // Only the canonical base64 of 64 bytes counts: nobody sends another spelling of the same bytes.
    const received = signatures
      .map((text) => ({ text, bytes: Buffer.from(text, "base64") }))
      .filter(({ text, bytes }) => bytes.length === SIGNATURE_BYTES && bytes.toString("base64") === text);
    if (received.length === 0) return refuse("malformed_signature", "a v1a signature is base64 of 64 bytes");
    const content = signedContent(webhookId, timestamp, body);
    const keys = [...publicKeys, ...(keySet?.ed25519 ?? [])];
    if (keys.some((key) => received.some(({ bytes }) => verify(null, content, key, bytes)))) {
      return { kind: "accepted", webhookId, body, userMetadata: undefined, bodyUnbound: false };
    }
    return keySet === undefined
      ? { kind: "undecidable" }
      : refuse("signature_mismatch", "no signature matches the id, the timestamp and the body under any known key");
  },
};
