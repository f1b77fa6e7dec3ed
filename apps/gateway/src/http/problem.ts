// Every error that a port answers, as a response.

import type { SluiceError } from "@sluice/shared/runtime/errors";
import { PROBLEM_MEDIA_TYPE, problemDocument } from "@sluice/shared/runtime/problem-document";
import type { Context } from "hono";

/** @param extra members beside the standard ones, such as the `reason` of a refused webhook. */
export function problem(c: Context, error: SluiceError, extra: Record<string, unknown> = {}): Response {
  c.header("content-type", PROBLEM_MEDIA_TYPE);
  if (error.retryAfterSeconds !== undefined) c.header("retry-after", String(error.retryAfterSeconds));
  return c.body(JSON.stringify(problemDocument(error, extra)), error.status);
}
