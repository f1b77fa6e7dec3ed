// Scheme `v1a` of Standard Webhooks 1.0: Ed25519 over the same content as `v1`. The header does not name a key, so
// the verifier tries each key of the source and of the key set. One try reads the whole body, and a forged request can ask
// for many tries. So the tries run on the threads of libuv, one after the other, and not on the thread of the requests.

import { type KeyObject, verify } from "node:crypto";

import { refuse } from "../refusal.ts";
import { signedContent } from "../signed-content.ts";
import type { VerificationScheme } from "./scheme.ts";
import { readSignedHeaders } from "./signed-headers.ts";

const SIGNATURE_BYTES = 64;
/** A sender that changes its key sends two. Each further one costs a try for each key. */
const MAX_V1A_SIGNATURES = 4;

export const v1a: VerificationScheme = {
  name: "v1a",
  signsHeaders: true,
  read: (part) => (part.startsWith("v1a,") ? part.slice(4) : undefined),
  verify: async (signatures, request, { publicKeys, keySet }) => {
    const headers = readSignedHeaders(request);
    if (headers.kind === "refused") return headers;
    const { webhookId, timestamp } = headers;
    const { body } = request;
    // Only the canonical base64 of 64 bytes counts: nobody sends another spelling of the same bytes.
    const received = [...new Set(signatures)]
      .map((text) => ({ text, bytes: Buffer.from(text, "base64") }))
      .filter(({ text, bytes }) => bytes.length === SIGNATURE_BYTES && bytes.toString("base64") === text);
    if (received.length === 0) return refuse("malformed_signature", "a v1a signature is base64 of 64 bytes");
    if (received.length > MAX_V1A_SIGNATURES)
      return refuse("malformed_signature", `there are more than ${MAX_V1A_SIGNATURES} v1a signatures`);
    const content = signedContent(webhookId, timestamp, body);
    for (const key of [...publicKeys, ...(keySet?.ed25519 ?? [])]) {
      for (const { bytes } of received) {
        if (await verifyOnThread(content, key, bytes)) {
          return { kind: "accepted", webhookId, body, userMetadata: undefined, bodyUnbound: false, token: undefined };
        }
      }
    }
    return keySet === undefined
      ? { kind: "undecidable" }
      : refuse("signature_mismatch", "no signature matches the id, the timestamp and the body under any known key");
  },
};

function verifyOnThread(content: Buffer, key: KeyObject, signature: Buffer): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify(null, content, key, signature, (error, isGood) => (error ? reject(error) : resolve(isGood)));
  });
}
