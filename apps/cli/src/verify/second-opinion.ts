// What the library of Standard Webhooks makes of a signature. Receivers use it, so that a disagreement matters.

import type { SigningSecret } from "@sluice/signature/secret";
import { Webhook } from "standardwebhooks";

import type { CapturedWebhook } from "./captured-request.ts";

/**
 * Whether the library finds a signature `v1` that matches id, timestamp and body; the age is left out.
 * @returns undefined when it cannot say, because a header is missing or the timestamp is no number.
 */
export function matchesByLibrary({ text }: SigningSecret, { headers, body }: CapturedWebhook): boolean | undefined {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  if (!id || !timestamp || !signatures || !/^\d{1,12}$/.test(timestamp)) return undefined;
  const expected = new Webhook(text).sign(id, new Date(Number(timestamp) * 1000), body);
  return signatures.split(/,? +/).includes(expected);
}
