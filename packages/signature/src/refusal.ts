// Why the ingress can refuse a request on a known source. The reasons are stable: the sender sees them, the log of
// rejections and the metrics record them, and docs/errors.md explains them (a test compares the two lists).

export const REFUSAL_REASONS = [
  "missing_token",
  "unknown_token",
  "expired_token",
  "consumed_token",
  "too_large",
  "body_interrupted",
  "missing_header",
  "malformed_header",
  "malformed_signature",
  "unaccepted_scheme",
  "unaccepted_algorithm",
  "stale_timestamp",
  "future_timestamp",
  "no_secret",
  "unknown_key",
  "signature_mismatch",
  "wrong_audience",
  "wrong_issuer",
  "wrong_token_type",
  "excessive_lifetime",
  "spent_token",
  "body_mismatch",
  "body_unbound",
  "reconciled_before",
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** The outcome "refused" of every check of a request. */
export interface Refusal {
  kind: "refused";
  reason: RefusalReason;
  /** Says to a person what is wrong. It never contains a secret. */
  detail: string;
}

export function refuse(reason: RefusalReason, detail: string): Refusal {
  return { kind: "refused", reason, detail };
}
