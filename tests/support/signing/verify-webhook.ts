// Verifies a whole webhook in one call. The gateway makes the two calls itself, because it reads the body between them.

import type { VerificationSettings } from "@sluice/signature/verification/scheme";
import { judgeHeaders, type ReceivedHeaders, type Verdict, verifySignatures } from "@sluice/signature/verify";

export interface ReceivedWebhook extends ReceivedHeaders {
  /** The raw body. */
  body: Buffer;
}

/** @param nowMs the receiver's clock, milliseconds since 1970. */
export async function verifyWebhook(
  webhook: ReceivedWebhook,
  settings: VerificationSettings,
  nowMs: number,
): Promise<Verdict> {
  const headers = judgeHeaders(webhook, settings, nowMs);
  return headers.kind === "refused" ? headers : verifySignatures(headers, webhook.body, settings);
}
