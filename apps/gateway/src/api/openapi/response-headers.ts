// The headers of answers, as shared components of the document. Each answer of the document names those that it can have.

const COMPONENTS = "#/components/headers/";

const text = { type: "string" } as const;

/** A header that is `required` is in every answer that names it. */
export const RESPONSE_HEADERS = {
  "X-Request-Id": {
    description: "The id of the request: the one that it came with, or a new one. The log of the gateway has it.",
    required: true,
    schema: { ...text, maxLength: 128 },
  },
  ETag: {
    description: "The version of the resource, to send as `If-Match` or `If-None-Match`",
    required: true,
    schema: { ...text, pattern: '^"[A-Za-z0-9._-]+"$' },
  },
  Location: { description: "The path of the resource", required: true, schema: { ...text, format: "uri-reference" } },
  "Idempotency-Replayed": {
    description: "`true` when this is the answer to an earlier request with the same `Idempotency-Key`",
    schema: { ...text, const: "true" },
  },
  "Retry-After": {
    description: "The seconds after which the request can be repeated",
    schema: { type: "integer", minimum: 0 },
  },
  Allow: {
    description: "In an answer with the status 405: the methods that the path takes",
    schema: { ...text, example: "GET, HEAD, POST, OPTIONS" },
  },
  "WWW-Authenticate": { description: "How to authenticate", required: true, schema: { ...text, const: "Bearer" } },
  "Content-Disposition": {
    description: "Makes a browser save the body instead of showing it",
    required: true,
    schema: text,
  },
  "Sluice-Content-Type": {
    description: "The content type with which the event was received; absent when it had none",
    schema: { ...text, example: "application/json" },
  },
} as const;

export type HeaderName = keyof typeof RESPONSE_HEADERS;

/** The `headers` of an answer: references to the shared components. */
export const headerReferences = (names: readonly HeaderName[]) =>
  Object.fromEntries(names.map((name) => [name, { $ref: COMPONENTS + name }]));
