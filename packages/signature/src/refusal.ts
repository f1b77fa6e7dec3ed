// How a request on a known source can be refused. Stable: shown to the sender, recorded, counted, and explained
// in docs/errors.md (a test compares them).

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
  "body_mismatch",
  "body_unbound",
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** A refusal, with words for a person. */
export interface Refusal {
  reason: RefusalReason;
  detail: string;
}
