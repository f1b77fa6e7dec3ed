// Verifies one request for one source: pure, on raw bytes, and with the reason for each refusal. A source names the
// schemes that it accepts. The verifier ignores the signatures of all other schemes.

import { type Refusal, refuse } from "./refusal.ts";
import type { Scheme } from "./schemes.ts";
import { jwt } from "./verification/jwt.ts";
import type { Acceptance, Undecidable, VerificationScheme, VerificationSettings } from "./verification/scheme.ts";
import { readSignedHeaders } from "./verification/signed-headers.ts";
import { v1 } from "./verification/v1.ts";
import { v1a } from "./verification/v1a.ts";
import { isWebhookId, MAX_ID_LENGTH } from "./verification/webhook-id.ts";

/** The first scheme that recognizes a part of the header gets it. */
const REGISTRY: readonly VerificationScheme[] = [v1, v1a, jwt];

/**
 * Far more signatures than a sender has secrets: a relay signs with ten secrets at most, and another relay may be the
 * receiver. A longer list is an attempt to cost the relay time.
 */
const MAX_SIGNATURES = 16;

/** The three headers as the sender wrote them. */
export interface ReceivedHeaders {
  webhookId: string | undefined;
  timestamp: string | undefined;
  signature: string | undefined;
}

/** Well-formed, fresh headers with a signature of an accepted scheme: it is worth reading the body. */
export interface PlausibleHeaders {
  kind: "plausible";
  webhookId: string | undefined;
  timestamp: string | undefined;
  /** Milliseconds since 1970. The signatures are judged by the same instant as the headers. */
  judgedAtMs: number;
  /** In the order of the registry. There is at least one. */
  candidates: { scheme: VerificationScheme; signatures: string[] }[];
}

export type Verdict =
  | (Acceptance & { scheme: Scheme })
  | Refusal
  /** There is no key set yet. The ingress answers 503 and does not refuse the request. */
  | Undecidable;

/**
 * Judges the headers without the body and without cryptography, so that a flood of old or malformed requests stays
 * cheap.
 * @param nowMs the receiver's clock, milliseconds since 1970.
 */
export function judgeHeaders(
  { webhookId, timestamp, signature }: ReceivedHeaders,
  { schemes, toleranceSeconds }: Pick<VerificationSettings, "schemes" | "toleranceSeconds">,
  nowMs: number,
): PlausibleHeaders | Refusal {
  if (!signature) return refuse("missing_header", "the header webhook-signature is missing");
  if (webhookId === "" || timestamp === "") return refuse("missing_header", "webhook-id or webhook-timestamp is empty");
  if (webhookId !== undefined && !isWebhookId(webhookId)) {
    return refuse("malformed_header", `webhook-id must be at most ${MAX_ID_LENGTH} printable characters without a dot`);
  }
  const parts = readParts(signature);
  if (parts === undefined) {
    return refuse("malformed_signature", `webhook-signature must be 1 to ${MAX_SIGNATURES} parts such as "v1,base64"`);
  }
  const untimely = judgeTimestamp(timestamp, toleranceSeconds, nowMs);
  if (untimely !== undefined) return untimely;
  const candidates: PlausibleHeaders["candidates"] = [];
  for (const scheme of REGISTRY) {
    if (!schemes.includes(scheme.name)) continue;
    const signatures = parts.filter((part) => part.scheme === scheme).map((part) => part.signature);
    if (signatures.length > 0) candidates.push({ scheme, signatures });
  }
  if (candidates.length === 0) {
    return refuse("unaccepted_scheme", `no signature has a scheme that this source accepts: ${schemes.join(", ")}`);
  }
  if (candidates.every(({ scheme }) => scheme.signsHeaders)) {
    const signed = readSignedHeaders({ webhookId, timestamp });
    if (signed.kind === "refused") return signed;
  }
  return { kind: "plausible", webhookId, timestamp, judgedAtMs: nowMs, candidates };
}

/** Judges the signatures over the body, scheme by scheme, until one scheme accepts the request. */
export async function verifySignatures(
  { webhookId, timestamp, judgedAtMs, candidates }: PlausibleHeaders,
  body: Buffer,
  settings: VerificationSettings,
): Promise<Verdict> {
  const request = { webhookId, timestamp, body };
  let failure: Refusal | Undecidable | undefined;
  for (const { scheme, signatures } of candidates) {
    const verdict = await scheme.verify(signatures, request, settings, judgedAtMs);
    if (verdict.kind === "accepted") return { ...verdict, scheme: scheme.name };
    // A scheme that needs a key set outweighs the refusals of other schemes: with the key set it may accept.
    if (failure === undefined || verdict.kind === "undecidable") failure = verdict;
  }
  if (failure === undefined) throw new Error("plausible headers without a signature to verify");
  return failure;
}

interface SignaturePart {
  /** Undefined for an unknown version. The verifier skips such a part, as the specification demands. */
  scheme: VerificationScheme | undefined;
  signature: string;
}

/** @returns the signatures in a header, or undefined when the header is not a list of signatures. */
function readParts(header: string): SignaturePart[] | undefined {
  const parts: SignaturePart[] = [];
  // Several header lines are one list, whose parts are separated by a comma and a space (RFC 9110, 5.3).
  for (const text of header.replaceAll(/(^|, )Bearer +/gi, "$1Bearer,").split(/,? +/)) {
    if (text === "") continue;
    const part = readPart(text);
    if (part === undefined || parts.length === MAX_SIGNATURES) return undefined;
    parts.push(part);
  }
  return parts.length === 0 ? undefined : parts;
}

function readPart(text: string): SignaturePart | undefined {
  for (const scheme of REGISTRY) {
    const signature = scheme.read(text);
    if (signature !== undefined) return signature === "" ? undefined : { scheme, signature };
  }
  return /^[A-Za-z0-9]+,.+$/.test(text) ? { scheme: undefined, signature: "" } : undefined;
}

function judgeTimestamp(timestamp: string | undefined, toleranceSeconds: number, nowMs: number): Refusal | undefined {
  // Whether a timestamp is needed depends on the scheme.
  if (timestamp === undefined) return undefined;
  // A strict pattern, because parseInt would read "123junk" and "1e9".
  if (!/^(0|[1-9][0-9]{0,11})$/.test(timestamp)) {
    return refuse("malformed_header", "webhook-timestamp must be an integer of seconds since 1970");
  }
  const ageSeconds = Math.floor(nowMs / 1000) - Number(timestamp);
  if (ageSeconds > toleranceSeconds) {
    return refuse(
      "stale_timestamp",
      `webhook-timestamp is ${ageSeconds} s old; at most ${toleranceSeconds} s are accepted`,
    );
  }
  if (-ageSeconds > toleranceSeconds) {
    return refuse(
      "future_timestamp",
      `webhook-timestamp is ${-ageSeconds} s ahead; at most ${toleranceSeconds} s are accepted`,
    );
  }
  return undefined;
}
