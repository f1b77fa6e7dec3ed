// Errors in the form of Google's APIs (https://google.aip.dev/193), for the paths of Gemini's WebhookService. Clients of
// Gemini read `error.code`, `error.message` and `error.status`.

import { z } from "@hono/zod-openapi";
import type { Context } from "hono";

import { ERROR_CODES, type ErrorCode, type SluiceError } from "@sluice/shared/runtime/errors";

import { publicPath } from "./custom-verb.ts";

/** Clients of another version of the WebhookService expect the form too, when they are told that it is not served. */
const PATHS = /^\/(v1beta|v\d\w*\/webhooks)(\/|:|$)/;

/** The canonical code of each HTTP status: google/rpc/code.proto, and our choice for statuses that it does not have. */
const STATUSES: Record<number, string> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  405: "UNIMPLEMENTED",
  408: "DEADLINE_EXCEEDED",
  409: "ABORTED",
  410: "NOT_FOUND",
  412: "FAILED_PRECONDITION",
  413: "INVALID_ARGUMENT",
  415: "INVALID_ARGUMENT",
  422: "INVALID_ARGUMENT",
  428: "FAILED_PRECONDITION",
  431: "INVALID_ARGUMENT",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** Failures that a repetition does not cure. Google's clients repeat a 409 and every 5xx, so these are answered with 400. */
const FAILED_PRECONDITIONS: ErrorCode[] = ["limit_reached", "managed_by_file", "ping_failed"];

const errorSchema = z
  .object({
    error: z.object({
      code: z.int().openapi({ example: 404, description: "The HTTP status of the answer" }),
      message: z.string(),
      status: z
        .enum([...new Set(Object.values(STATUSES))])
        .openapi("GoogleStatus", { description: "The canonical code of Google's APIs", example: "NOT_FOUND" }),
    }),
  })
  .openapi("GoogleError");

/** The `default` response of every endpoint of the WebhookService. */
export const googleErrorResponse = {
  description: "An error in the form of Google's APIs",
  content: { "application/json": { schema: errorSchema } },
};

/** The HTTP status with which the WebhookService answers this code. */
export const googleStatusOf = (code: ErrorCode) =>
  FAILED_PRECONDITIONS.includes(code) ? 400 : ERROR_CODES[code].status;

/** Whether failures of this request are answered in Google's form: all of /v1beta, and /v1/webhooks. */
export function speaksGoogle(c: Context): boolean {
  return PATHS.test(publicPath(c.req.path));
}

export function answerGoogleError(c: Context, { code, status, message, retryAfterSeconds }: SluiceError): Response {
  if (retryAfterSeconds !== undefined) c.header("retry-after", String(retryAfterSeconds));
  const httpStatus = googleStatusOf(code);
  const name = FAILED_PRECONDITIONS.includes(code) ? "FAILED_PRECONDITION" : (STATUSES[status] ?? "UNKNOWN");
  return c.json({ error: { code: httpStatus, message, status: name } }, httpStatus);
}
