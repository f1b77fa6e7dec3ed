// Makes the response for an error. Every error answer of both ports has this form.

import type { Context } from "hono";

import type { SluiceError } from "@sluice/shared/runtime/errors";
import { PROBLEM_MEDIA_TYPE, problemDocument } from "@sluice/shared/runtime/problem-document";

/** @param extra members in addition to the standard ones, such as the `reason` of a refused webhook. */
export function problem(c: Context, error: SluiceError, extra: Record<string, unknown> = {}): Response {
  c.header("content-type", PROBLEM_MEDIA_TYPE);
  // The rest of the body is not read, so that no other request can follow.
  if (error.code === "payload_too_large") c.header("connection", "close");
  if (error.retryAfterSeconds !== undefined) c.header("retry-after", String(error.retryAfterSeconds));
  return c.body(JSON.stringify(problemDocument(error, extra)), error.status);
}
