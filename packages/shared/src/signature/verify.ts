// Verification of one request for one source: pure, on raw bytes, and able to say why it refused. A source names
// the schemes that it accepts; another scheme's signature is as good as none.

import type { Refusal } from "./refusal.ts";
import type { Scheme } from "./schemes.ts";
import { jwt } from "./verification/jwt.ts";
import type { Acceptance, SchemeVerdict, VerificationScheme, VerificationSettings } from "./verification/scheme.ts";
import { v1 } from "./verification/v1.ts";
import { v1a } from "./verification/v1a.ts";
import { isWebhookId, MAX_ID_LENGTH } from "./verification/webhook-id.ts";

/** In the order in which a part of a header is offered to them. */
const REGISTRY: readonly VerificationScheme[] = [v1, v1a, jwt];

/** A rotation sends two signatures; more than this is an attempt to buy verification time. */
const MAX_SIGNATURES = 8;

/** The headers as they came, and the raw body. */
export interface ReceivedWebhook {
  webhookId: string | undefined;
  timestamp: string | undefined;
  signature: string | undefined;
  body: Buffer;
}

export type Verdict =
  | ({ kind: "accepted"; scheme: Scheme } & Acceptance)
  | ({ kind: "refused" } & Refusal)
  /** There is no key set to judge by: the answer is 503, and never a refusal. */
  | { kind: "undecidable" };

/** @param nowMs the receiver's clock, milliseconds since 1970. */
export async function verify(
  webhook: ReceivedWebhook,
  settings: VerificationSettings,
  nowMs: number,
): Promise<Verdict> {
  const { webhookId, timestamp, signature } = webhook;
  if (!signature) return refuse("missing_header", "the header webhook-signature is missing");
  if (webhookId === "" || timestamp === "") return refuse("missing_header", "webhook-id or webhook-timestamp is empty");
  if (webhookId !== undefined && !isWebhookId(webhookId)) {
    return refuse("malformed_header", `webhook-id must be at most ${MAX_ID_LENGTH} printable characters without a dot`);
  }
  const parts = readParts(signature);
  if (parts === undefined) {
    return refuse("malformed_signature", `webhook-signature must be 1 to ${MAX_SIGNATURES} parts such as "v1,base64"`);
  }
  // Before any cryptography: a flood of old requests stays cheap.
  const untimely = judgeTimestamp(timestamp, settings.toleranceSeconds, nowMs);
  if (untimely !== undefined) return untimely;

  let verdict: Exclude<SchemeVerdict, { kind: "accepted" }> | undefined;
  for (const scheme of REGISTRY.filter(({ name }) => settings.schemes.includes(name))) {
    const signatures = parts.filter((part) => part.scheme === scheme).map((part) => part.signature);
    if (signatures.length === 0) continue;
    const judged = await scheme.verify(signatures, webhook, settings, nowMs);
    if (judged.kind === "accepted") return { ...judged, scheme: scheme.name };
    // Of several schemes, one that could not be judged decides: the sender comes back.
    if (verdict === undefined || judged.kind === "undecidable") verdict = judged;
  }
  return (
    verdict ??
    refuse("unaccepted_scheme", `no signature is of a scheme that this source accepts: ${settings.schemes.join(", ")}`)
  );
}

const refuse = (reason: Refusal["reason"], detail: string): Verdict => ({ kind: "refused", reason, detail });

interface Part {
  /** Undefined for a version that is not known: it is passed over, as the specification says. */
  scheme: VerificationScheme | undefined;
  signature: string;
}

/** The signatures of a header; undefined when it is not a list of them. */
function readParts(header: string): Part[] | undefined {
  const texts = header
    .replace(/^Bearer +/i, "Bearer,")
    .split(" ")
    .filter((text) => text !== "");
  if (texts.length === 0 || texts.length > MAX_SIGNATURES) return undefined;
  const parts: Part[] = [];
  for (const text of texts) {
    const scheme = REGISTRY.find((candidate) => candidate.read(text) !== undefined);
    if (scheme === undefined && !/^[A-Za-z0-9]+,.+$/.test(text)) return undefined;
    const signature = scheme?.read(text) ?? "";
    if (scheme !== undefined && signature === "") return undefined;
    parts.push({ scheme, signature });
  }
  return parts;
}

function judgeTimestamp(timestamp: string | undefined, toleranceSeconds: number, nowMs: number): Verdict | undefined {
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
