// Refusals that the ingress gives, and that the examination of a captured request gives in the same words.

import { type Refusal, refuse } from "@sluice/signature/refusal";

export function refuseTooLarge(maxBodyBytes: number): Refusal {
  return refuse("too_large", `The body is above the limit of ${maxBodyBytes} bytes`);
}

export const refuseSpentToken = () =>
  refuse("spent_token", "The token proved a webhook with another webhook-id before");

export const refuseConsumedUrl = () => refuse("consumed_token", "Another webhook used the callback URL before");
