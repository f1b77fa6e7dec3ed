// The reason of a store's error in a few words. Senders of webhooks read these words, so only words and codes of this
// file get in, and never the error's own message: it may hold a host, a user or a URL with a password.

import { readRefusalCode } from "./redis-refusal.ts";

const NO_ANSWER = "no answer";
const SYSTEM_ERRORS: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "connection refused"],
  ["ECONNRESET", "connection lost"],
  ["EPIPE", "connection lost"],
  ["ETIMEDOUT", NO_ANSWER],
  ["EHOSTUNREACH", "host not reachable"],
  ["ENETUNREACH", "host not reachable"],
  ["ENOTFOUND", "host name not found"],
  ["EAI_AGAIN", "host name not found"],
]);

/** Thrown when a store did not answer within its limit. */
export class NoAnswer extends Error {}

/** Thrown when Redis has a job, and too few of its replicas have confirmed it in time. */
export class TooFewReplicas extends Error {
  constructor(confirmed: number, required: number) {
    super(`${confirmed} of ${required} replicas confirmed`);
  }
}

/** Such as "connection refused", "no answer", "Redis error OOM" or "SQLSTATE 53300". */
export function describeStoreError(error: unknown): string {
  if (!(error instanceof Error)) return "unexpected error";
  if (error instanceof NoAnswer) return NO_ANSWER;
  if (error instanceof TooFewReplicas) return error.message;
  const refusal = readRefusalCode(error);
  if (refusal !== undefined) return `Redis error ${refusal}`;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const known = SYSTEM_ERRORS.get(code);
  if (known !== undefined) return known;
  // A SQLSTATE has a digit; codes of the system such as EPERM have none.
  if (/^[0-9A-Z]{5}$/.test(code) && /[0-9]/.test(code)) return `SQLSTATE ${code}`;
  // The errors of pg and ioredis about their own connections have no code.
  if (/time(?:d )?out/i.test(error.message)) return NO_ANSWER;
  return /connection|stream/i.test(error.message) ? "connection lost" : "unexpected error";
}
