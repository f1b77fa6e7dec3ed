// Verification of one request for one source: pure, on raw bytes, and able to say why it refused. A source names
// the schemes that it accepts; another scheme's signature is as good as none.

import type { Refusal } from "./refusal.ts";
import type { Scheme } from "./schemes.ts";
import { jwt } from "./verification/jwt.ts";
import type { Acceptance, SchemeVerdict, VerificationScheme, VerificationSettings } from "./verification/scheme.ts";
import { readSignedHeaders } from "./verification/signed-headers.ts";
import { v1 } from "./verification/v1.ts";
import { v1a } from "./verification/v1a.ts";
import { isWebhookId, MAX_ID_LENGTH } from "./verification/webhook-id.ts";

/** In the order in which a part of a header is offered to them. */
const REGISTRY: readonly VerificationScheme[] = [v1, v1a, jwt];

/** A rotation sends two signatures; more than this is an attempt to buy verification time. */
const MAX_SIGNATURES = 8;

/** The headers as they came. */
export interface ReceivedHeaders {
  webhookId: string | undefined;
  timestamp: string | undefined;
  signature: string | undefined;
}

/** And the raw body. */
export interface ReceivedWebhook extends ReceivedHeaders {
  body: Buffer;
}

/** Headers that a body is worth reading for: well-formed, fresh, and with a signature of an accepted scheme. */
export interface PlausibleHeaders extends Pick<ReceivedHeaders, "webhookId" | "timestamp"> {
  kind: "plausible";
  nowMs: number;
  /** In the order of the registry. */
  candidates: { scheme: VerificationScheme; signatures: string[] }[];
}

type RefusedVerdict = { kind: "refused" } & Refusal;

export type Verdict =
  | ({ kind: "accepted"; scheme: Scheme } & Acceptance)
  | RefusedVerdict
  /** There is no key set to judge by: the answer is 503, and never a refusal. */
  | { kind: "undecidable" };

/**
 * What can be said without the body, and without cryptography: a flood of old or malformed requests stays cheap.
 * @param nowMs the receiver's clock, milliseconds since 1970.
 */
export function judgeHeaders(
  { webhookId, timestamp, signature }: ReceivedHeaders,
  { schemes, toleranceSeconds }: Pick<VerificationSettings, "schemes" | "toleranceSeconds">,
  nowMs: number,
): PlausibleHeaders | RefusedVerdict {
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
    return refuse("unaccepted_scheme", `no signature is of a scheme that this source accepts: ${schemes.join(", ")}`);
  }
  if (candidates.every(({ scheme }) => scheme.signsHeaders)) {
    const signed = readSignedHeaders({ webhookId, timestamp });
    if ("kind" in signed) return signed;
  }
  return { kind: "plausible", nowMs, webhookId, timestamp, candidates };
}

/**
 * The rest of the verdict, at the time at which the headers were judged. At once where the schemes say so at once, as
 * `v1` and `v1a` do: a promise more for each event is time that the others wait.
 */
export function verifySignatures(
  { webhookId, timestamp, candidates, nowMs }: PlausibleHeaders,
  body: Buffer,
  settings: VerificationSettings,
): Verdict | Promise<Verdict> {
  const request = { webhookId, timestamp, body };
  const judgeFrom = (
    index: number,
    earlier?: Exclude<SchemeVerdict, { kind: "accepted" }>,
  ): Verdict | Promise<Verdict> => {
    const candidate = candidates[index];
    if (candidate === undefined) return earlier ?? refuse("unaccepted_scheme", "there is no signature");
    const { scheme, signatures } = candidate;
    const conclude = (judged: SchemeVerdict) => {
      if (judged.kind === "accepted") return { ...judged, scheme: scheme.name };
      // Of several schemes, one that could not be judged decides: the sender comes back.
      return judgeFrom(index + 1, earlier === undefined || judged.kind === "undecidable" ? judged : earlier);
    };
    const judged = scheme.verify(signatures, request, settings, nowMs);
    return judged instanceof Promise ? judged.then(conclude) : conclude(judged);
  };
  return judgeFrom(0);
}

/** Both at once, for a body that is there. */
export async function verify(
  webhook: ReceivedWebhook,
  settings: VerificationSettings,
  nowMs: number,
): Promise<Verdict> {
  const headers = judgeHeaders(webhook, settings, nowMs);
  return headers.kind === "refused" ? headers : verifySignatures(headers, webhook.body, settings);
}

const refuse = (reason: Refusal["reason"], detail: string): RefusedVerdict => ({ kind: "refused", reason, detail });

interface Part {
  /** Undefined for a version that is not known: it is passed over, as the specification says. */
  scheme: VerificationScheme | undefined;
  signature: string;
}

/** The signatures of a header; undefined when it is not a list of them. */
function readParts(header: string): Part[] | undefined {
  const parts: Part[] = [];
  for (const text of header.replace(/^Bearer +/i, "Bearer,").split(" ")) {
    if (text === "") continue;
    const part = readPart(text);
    if (part === undefined || parts.length === MAX_SIGNATURES) return undefined;
    parts.push(part);
  }
  return parts.length === 0 ? undefined : parts;
}

function readPart(text: string): Part | undefined {
  for (const scheme of REGISTRY) {
    const signature = scheme.read(text);
    if (signature !== undefined) return signature === "" ? undefined : { scheme, signature };
  }
  return /^[A-Za-z0-9]+,.+$/.test(text) ? { scheme: undefined, signature: "" } : undefined;
}

function judgeTimestamp(
  timestamp: string | undefined,
  toleranceSeconds: number,
  nowMs: number,
): RefusedVerdict | undefined {
  // Where there is none, the scheme says whether it needs one.
  if (timestamp === undefined) return undefined;
  // Strict: parseInt would read "123junk" and "1e9".
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
