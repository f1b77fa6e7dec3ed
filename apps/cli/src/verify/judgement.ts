// Judges a captured webhook: in this process by a secret or a key set, or at the relay by those of a source.

import type { SluiceClient } from "@sluice/client/client";
import { readKeySet } from "@sluice/signature/jwks";
import type { RefusalReason } from "@sluice/signature/refusal";
import { type Scheme, SCHEMES_OF } from "@sluice/signature/schemes";
import type { SigningSecret } from "@sluice/signature/secret";
import type { VerificationSettings } from "@sluice/signature/verification/scheme";
import { judgeHeaders, verifySignatures } from "@sluice/signature/verify";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { asked } from "../relay/relay-api.ts";
import type { CapturedWebhook } from "./captured-request.ts";

export type Judgement =
  | { verdict: "accepted"; scheme: Scheme; webhookId: string; bodyUnbound: boolean }
  | { verdict: "refused"; reason: RefusalReason; detail: string }
  /** The relay has no key set yet. */
  | { verdict: "undecidable" };

/** @param atMs the instant to judge by; milliseconds since 1970. */
export type Judge = (webhook: CapturedWebhook, atMs: number) => Promise<Judgement>;

const DEFAULTS = {
  toleranceSeconds: 300,
  hmacKeys: [],
  publicKeys: [],
  audiences: [],
  issuers: [],
  tokenTypes: [],
  maxTokenSeconds: 3_600,
  bodyUnbound: "reject",
} satisfies Omit<VerificationSettings, "schemes">;

export function judgeBySecret({ key }: SigningSecret, toleranceSeconds: number): Judge {
  const hmacKeys = [{ key, expiresAtMs: undefined }];
  return judgeHere({ ...DEFAULTS, schemes: SCHEMES_OF.static, hmacKeys, toleranceSeconds });
}

/** @throws SluiceError `invalid_request` when the document is no key set. */
export function judgeByKeySet(document: unknown, audiences: readonly string[], toleranceSeconds: number): Judge {
  const keySet = readKeySet(document);
  if (keySet === undefined) throw new SluiceError("invalid_request", "--jwks: this is no key set with a usable key");
  return judgeHere({ ...DEFAULTS, schemes: SCHEMES_OF.dynamic, keySet, audiences, toleranceSeconds });
}

function judgeHere(settings: VerificationSettings): Judge {
  return async ({ headers, body }, atMs) => {
    const received = {
      webhookId: headers["webhook-id"],
      timestamp: headers["webhook-timestamp"],
      signature: headers["webhook-signature"],
    };
    const plausible = judgeHeaders(received, settings, atMs);
    const verdict = plausible.kind === "refused" ? plausible : await verifySignatures(plausible, body, settings);
    if (verdict.kind === "undecidable") return { verdict: "undecidable" };
    if (verdict.kind === "refused") return { verdict: "refused", reason: verdict.reason, detail: verdict.detail };
    const { scheme, webhookId, bodyUnbound } = verdict;
    return { verdict: "accepted", scheme, webhookId, bodyUnbound };
  };
}

/** @param id of the source. @param token the part of the path behind the name of the source. */
export function judgeByRelay(api: SluiceClient, id: string, token: string | undefined): Judge {
  return async ({ headers, body }, atMs) => {
    const captured = {
      headers,
      body: body.toString("base64"),
      judged_at: new Date(atMs).toISOString(),
      ...(token !== undefined && { token }),
    };
    const {
      verdict,
      scheme,
      reason,
      detail,
      webhook_id: webhookId,
      body_unbound: bodyUnbound,
    } = await asked(api.post("/v1/sources/{id}:verify", { params: { path: { id } }, body: captured }));
    if (verdict === "undecidable") return { verdict };
    if (verdict === "refused" && reason !== null) return { verdict, reason, detail: detail ?? "" };
    if (scheme === null || webhookId === null) throw new Error("the relay accepts a webhook without saying by what");
    return { verdict: "accepted", scheme, webhookId, bodyUnbound };
  };
}
