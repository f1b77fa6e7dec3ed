// Errors as Google's APIs word them, for the paths on which the relay speaks Gemini's WebhookService: clients of Gemini
// read `error.code`, `error.message` and `error.status`. See https://google.aip.dev/193.

import { z } from "@hono/zod-openapi";
import type { Context } from "hono";

import { ERROR_CODES, type ErrorCode, type SluiceError } from "@sluice/shared/runtime/errors";

import { publicPath } from "./custom-verb.ts";

const PATHS = /^\/(v1beta|v1\/webhooks)(\/|:|$)/;

/** The canonical code of an HTTP status: google/rpc/code.proto, with what HTTP adds to it. */
const STATUSES: Record<number, string> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  405: "UNIMPLEMENTED",
  408: "DEADLINE_EXCEEDED",
  409: "ABORTED",
  412: "FAILED_PRECONDITION",
  413: "INVALID_ARGUMENT",
  415: "INVALID_ARGUMENT",
  422: "INVALID_ARGUMENT",
  428: "FAILED_PRECONDITION",
  431: "INVALID_ARGUMENT",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** What does not pass by itself. Google's clients repeat a 409 and every 5xx, which would repeat a ping as well. */
const FAILED_PRECONDITIONS: ErrorCode[] = ["limit_reached", "ping_failed"];

const errorSchema = z
  .object({
    error: z.object({
      code: z.int().openapi({ example: 404, description: "The HTTP status" }),
      message: z.string(),
      status: z.string().openapi({ example: "NOT_FOUND", enum: [...new Set(Object.values(STATUSES))] }),
    }),
  })
  .openapi("GoogleError");

/** The `default` response of every route of the WebhookService. */
export const googleErrorResponse = {
  description: "An error in the form of Google's APIs",
  content: { "application/json": { schema: errorSchema } },
};

/** The HTTP status of an answer with this code. */
export const googleStatusOf = (code: ErrorCode): number =>
  FAILED_PRECONDITIONS.includes(code) ? 400 : ERROR_CODES[code].status;

/** Whether a request is to be answered in Google's way: everything under /v1beta is Google's, and /v1/webhooks. */
export function speaksGoogle(c: Context): boolean {
  return PATHS.test(publicPath(c.req.path));
}

export function answerGoogleError(c: Context, { code, status, message, retryAfterSeconds }: SluiceError): Response {
  if (retryAfterSeconds !== undefined) c.header("retry-after", String(retryAfterSeconds));
  const [http, name] = FAILED_PRECONDITIONS.includes(code)
    ? ([400, "FAILED_PRECONDITION"] as const)
    : [status, STATUSES[status] ?? "UNKNOWN"];
  return c.json({ error: { code: http, message, status: name } }, http);
}
