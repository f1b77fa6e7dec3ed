// Adds the failures to the description of an endpoint that follow from its form, and the headers of every answer.

import type { OpenAPIHono } from "@hono/zod-openapi";

import { ERROR_CODES, type ErrorCode } from "@sluice/shared/runtime/errors";

import { takesKey } from "../http/idempotency.ts";
import { describeCodes } from "../http/problems.ts";
import { type HeaderName, headerReferences } from "./response-headers.ts";

export const ENDPOINT_METHODS = ["get", "post", "put", "patch", "delete"] as const;

/** Where an endpoint stands in the document. */
export interface EndpointPlace {
  path: string;
  method: (typeof ENDPOINT_METHODS)[number];
}

export type Endpoint = NonNullable<
  NonNullable<ReturnType<OpenAPIHono["getOpenAPI31Document"]>["paths"]>[string]["get"]
>;

/** The codes that every endpoint can answer. docs/errors.md says when. */
const CODES_OF_ALL: ErrorCode[] = [
  "unauthenticated",
  "forbidden",
  "host_not_allowed",
  "cross_origin",
  "rate_limited",
  "internal",
  "unavailable",
  "invalid_request",
];
/** What a request with an `Idempotency-Key` can be answered with. */
const CODES_OF_REPEATABLE: ErrorCode[] = [
  "idempotency_in_progress",
  "idempotency_answer_lost",
  "idempotency_key_reused",
];

/** Statuses that tell, at least sometimes, when the request can be repeated. `default` has all those that are not named. */
const RETRIED_STATUSES = ["429", "502", "503", "default"];

export const takesIdempotencyKey = ({ method, path }: EndpointPlace): boolean => takesKey(method.toUpperCase(), path);

export function describeAnswers(endpoint: Endpoint, place: EndpointPlace): void {
  describeProblems(endpoint, place);
  const { responses = {} } = endpoint;
  const tagged = responses["200"];
  if (place.method === "get" && tagged !== undefined && "headers" in tagged && tagged.headers?.["ETag"] !== undefined)
    responses["304"] = { description: "The caller has the current version", headers: headerReferences(["ETag"]) };
  for (const [status, response] of Object.entries(responses)) {
    if (!("description" in response)) continue;
    response.headers = { ...headerReferences(headersOfStatus(status, place)), ...response.headers };
  }
}

function headersOfStatus(status: string, place: EndpointPlace): HeaderName[] {
  const isKeyed = takesIdempotencyKey(place);
  const isRetried = RETRIED_STATUSES.includes(status) || (isKeyed && status === "409");
  // Requests without a key are refused before Idempotency-Key is read.
  const isReplayed = isKeyed && Number(status) < 500 && status !== "401";
  return [
    "X-Request-Id",
    ...(status === "401" ? (["WWW-Authenticate"] as const) : []),
    ...(isReplayed ? (["Idempotency-Replayed"] as const) : []),
    ...(isRetried ? (["Retry-After"] as const) : []),
    ...(status === "default" ? (["Allow"] as const) : []),
  ];
}

/** Adds the codes that follow from the form of an endpoint to those that the endpoint lists itself. */
function describeProblems(endpoint: Endpoint, { path, method }: EndpointPlace): void {
  const { responses } = endpoint;
  const problem = responses?.["default"];
  if (responses === undefined || problem === undefined || !("content" in problem)) return;
  const codes = [...CODES_OF_ALL];
  if (path.includes("{")) codes.push("not_found");
  if (/\{(?!name\})/.test(path)) codes.push("invalid_id");
  // The size of a body is checked even if the endpoint takes none.
  if (method !== "get") codes.push("payload_too_large");
  if (takesIdempotencyKey({ method, path })) codes.push(...CODES_OF_REPEATABLE);
  if (endpoint.requestBody !== undefined) codes.push("unsupported_media_type");
  if (endpoint.parameters?.some((parameter) => "name" in parameter && parameter.name === "cursor")) {
    codes.push("invalid_cursor");
  }
  const byStatus = Map.groupBy(codes, (code) => String(ERROR_CODES[code].status));
  const named = Object.keys(responses).filter((status) => /^[45]/.test(status));
  for (const status of new Set([...named, ...byStatus.keys()])) {
    const own = responses[status];
    const added = describeCodes(byStatus.get(status) ?? []);
    const described = [own !== undefined && "description" in own ? own.description : "", added];
    responses[status] = { ...problem, description: described.filter((text) => text !== "").join("; ") };
  }
}
