// Why an attempt failed, for the metrics. The reasons are few and fixed, because each is a series for each target.

import { type AttemptResult, isGone, isSuccess } from "./attempt-result.ts";

export type AttemptReason =
  | "ok"
  | "timeout"
  | "dns"
  | "tls"
  | "connection"
  | "address_refused"
  | "other_error"
  | "redirect"
  | "gone"
  | "rate_limited"
  | "client_error"
  | "server_error"
  | "other_status";

/** Codes of Node for a certificate or a handshake that failed. */
const TLS_CODE = /\b(?:CERT_|ERR_TLS_|ERR_SSL_|EPROTO\b|\w*_CERT\b|\w*_CERT_\w+|UNABLE_TO_VERIFY_LEAF_SIGNATURE)/;
const DNS_CODE = /\b(?:ENOTFOUND|EAI_[A-Z]+)\b/;

export function attemptReason(result: AttemptResult): AttemptReason {
  if (isSuccess(result)) return "ok";
  const { error, statusCode } = result;
  if (error !== null) return reasonOfError(error);
  if (isGone(result)) return "gone";
  if (statusCode === 429) return "rate_limited";
  const reasons: Record<number, AttemptReason> = { 3: "redirect", 4: "client_error", 5: "server_error" };
  return reasons[Math.floor((statusCode ?? 0) / 100)] ?? "other_status";
}

/** @param error as a worker writes it, or whatever a target reports that pulled. */
function reasonOfError(error: string): AttemptReason {
  if (error.startsWith("timeout: ")) return "timeout";
  if (error.startsWith("address refused: ")) return "address_refused";
  if (!error.startsWith("connection: ")) return "other_error";
  if (TLS_CODE.test(error)) return "tls";
  return DNS_CODE.test(error) ? "dns" : "connection";
}
