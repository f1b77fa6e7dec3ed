// Every error that a port answers: RFC 9457 problem details with a stable code.

import { ERROR_CODES, type SluiceError } from "@sluice/shared/errors";
import type { Context } from "hono";

/** @param extra members beside the standard ones, such as the `reason` of a refused webhook. */
export function problem(c: Context, error: SluiceError, extra: Record<string, unknown> = {}): Response {
  c.header("content-type", "application/problem+json");
  if (error.retryAfterSeconds !== undefined) c.header("retry-after", String(error.retryAfterSeconds));
  const { title, status } = ERROR_CODES[error.code];
  const document = {
    type: `urn:sluice:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    ...(error.faults.length === 0 ? {} : { errors: error.faults }),
    ...extra,
  };
  return c.body(JSON.stringify(document), status);
}
