// Every answer of the API that reports a failure, and how the OpenAPI document describes it. No answer shows an
// internal error: the log has the details under the request id.

import { z } from "@hono/zod-openapi";
import type { Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";

import { ERROR_CODES, type ErrorCode, SluiceError } from "@sluice/shared/runtime/errors";
import { isTransient } from "@sluice/store/connection/postgres-errors";

import { problem } from "../../http/problem.ts";
import type { ApiEnv } from "./api-env.ts";
import { answerGoogleError, speaksGoogle } from "./google-error.ts";

/** PostgreSQL restarts within seconds. A client that repeats its request at once would only fail again. */
const RETRY_AFTER_SECONDS = 2;

const errorCode = z
  .enum(Object.keys(ERROR_CODES) as ErrorCode[])
  .openapi("ErrorCode", { description: "What failed. The codes are stable; docs/errors.md explains each." });

const fieldError = z
  .object({ pointer: z.string().openapi({ example: "/retry/base_seconds" }), detail: z.string() })
  .openapi("FieldError");

const problemSchema = z
  .object({
    type: z.string().openapi({ example: "urn:sluice:problem:not_found" }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: errorCode,
    errors: z
      .array(fieldError)
      .optional()
      .openapi({
        description:
          "A JSON pointer into the body, `?name` for a query parameter, `{name}` for a part of the path, or the name " +
          "of a header",
      }),
    request_id: z.string().openapi({
      description: "The `X-Request-Id` of the answer. The log of the gateway has the request under this id.",
    }),
  })
  .openapi("Problem");

/** The `default` response of every endpoint. */
export const problemResponse = {
  description: "A problem document. Its `code` is stable.",
  content: { "application/problem+json": { schema: problemSchema } },
};

export function answerProblem(error: unknown, c: Context<ApiEnv>): Response {
  const requestId = c.get("requestId");
  const answered = toSluiceError(error, requestId);
  return speaksGoogle(c) ? answerGoogleError(c, answered) : problem(c, answered, { request_id: requestId });
}

export function answerNotFound(c: Context<ApiEnv>): Response {
  return answerProblem(new SluiceError("not_found", "There is nothing at this path"), c);
}

/**
 * Answers OPTIONS on every path that has a route, and 405 for the methods that the path does not take. MUST be called
 * after the last route was added.
 */
export function answerOtherMethods(app: Hono<ApiEnv>): void {
  const methods = new Map<string, Set<string>>();
  for (const { method, path } of app.routes) {
    if (method === "ALL") continue;
    const known = methods.get(path) ?? new Set();
    // Hono answers HEAD with the handler of GET.
    methods.set(path, method === "GET" ? known.add("GET").add("HEAD") : known.add(method));
  }
  for (const [path, known] of methods) {
    const allow = [...known, "OPTIONS"].join(", ");
    app.all(path, (c) => {
      c.header("allow", allow);
      if (c.req.method === "OPTIONS") return c.body(null, 204);
      throw new SluiceError("method_not_allowed", `This path takes ${allow}`);
    });
  }
}

function toSluiceError(error: unknown, requestId: string): SluiceError {
  if (error instanceof SluiceError && error.status !== 500) return error;
  if (error instanceof HTTPException && error.status === 415) {
    return new SluiceError("unsupported_media_type", "Send the body with the header content-type: application/json");
  }
  if (error instanceof HTTPException && error.status === 400) {
    return new SluiceError("invalid_request", "The body is not valid JSON", {
      faults: [{ pointer: "", detail: "must be valid JSON" }],
    });
  }
  if (isTransient(error)) {
    return new SluiceError("unavailable", `PostgreSQL is not available; try again in ${RETRY_AFTER_SECONDS} s`, {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
      cause: error,
    });
  }
  return new SluiceError("internal", `The relay failed; its log has the error under the request id ${requestId}`);
}
