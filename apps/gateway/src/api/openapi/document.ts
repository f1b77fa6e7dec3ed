// The OpenAPI document at /openapi.json. It is made from the schemas that validate the requests, so the two cannot
// differ. The document and the reference page that shows it hold no secrets and need no key.

import type { OpenAPIHono } from "@hono/zod-openapi";

import { ERROR_CODES, type ErrorCode } from "@sluice/shared/runtime/errors";

import type { ApiEnv } from "../http/api-env.ts";
import { describeCodes } from "../http/problems.ts";
import { endpointName } from "./endpoint-name.ts";
import { exampleOf } from "./example.ts";

type Document = ReturnType<OpenAPIHono<ApiEnv>["getOpenAPI31Document"]>;
type Endpoint = NonNullable<NonNullable<Document["paths"]>[string]["get"]>;

/** The body of a request or of a response. */
interface DescribedBody {
  content: Partial<Record<string, { schema?: object; example?: unknown }>>;
}

const METHODS = ["get", "post", "put", "patch", "delete"] as const;

type Method = (typeof METHODS)[number];

const DESCRIPTION = `
Sluice receives the webhooks of the Gemini API, verifies them, and delivers each one to every target that subscribed to it.

- **Errors** are problem documents (RFC 9457). Their \`code\` is stable, and \`errors\` names each wrong field. The paths of
  Gemini's WebhookService, \`/v1/webhooks\` and \`/v1beta\`, answer errors in the form of Google's APIs instead.
- **Lists** have pages of up to \`limit\` entries. To read the next page, send the \`next_cursor\` of this one as \`cursor\`.
- **API keys** have scopes. \`read\` allows every GET. \`write\` also allows changes. \`admin\` also allows managing API keys
  and reading the audit trail.
- **Unknown** query parameters and body fields are refused, and the error names them.
`.trim();

/** The codes that every endpoint can answer. docs/errors.md says when. */
const CODES_OF_ALL: ErrorCode[] = [
  "unauthenticated",
  "forbidden",
  "rate_limited",
  "internal",
  "unavailable",
  "invalid_request",
];
/** The methods that take an `Idempotency-Key`, and what it can be answered with. */
const REPEATABLE: readonly Method[] = ["post", "put"];
const CODES_OF_REPEATABLE: ErrorCode[] = [
  "idempotency_in_progress",
  "idempotency_answer_lost",
  "idempotency_key_reused",
];

export function createDocument(app: OpenAPIHono<ApiEnv>): Document {
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
  app.openAPIRegistry.registerComponent("securitySchemes", "header", {
    type: "apiKey",
    in: "header",
    name: "x-goog-api-key",
  });
  const document = withoutFlags(
    app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: { title: "Sluice", version: "1", description: DESCRIPTION, license: { name: "MIT" } },
      security: [{ bearer: [] }, { header: [] }],
    }),
  );
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS) {
      const endpoint = item[method];
      if (endpoint === undefined) continue;
      endpoint.operationId ??= endpointName(method, path, isList(endpoint));
      describeProblems(endpoint, path, method);
      describeHeaders(endpoint, path, method);
      describeExamples(endpoint, document.components?.schemas ?? {});
    }
  }
  return document;
}

/**
 * Removes the flag that zod-openapi appends to patterns, as in `^a$/u`. JSON Schema has no flags and reads every pattern
 * as if it had this one. No pattern of our own ends in "/u".
 */
const withoutFlags = (document: Document): Document =>
  JSON.parse(JSON.stringify(document), (key, value: unknown) =>
    key === "pattern" && typeof value === "string" ? value.replace(/\/u$/, "") : value,
  ) as Document;

const isList = ({ parameters = [] }: Endpoint) =>
  parameters.some((parameter) => "name" in parameter && ["cursor", "page_token"].includes(parameter.name));

/** Adds the codes that follow from the form of an endpoint to those that the endpoint lists itself. */
function describeProblems(endpoint: Endpoint, path: string, method: Method): void {
  const { responses } = endpoint;
  const problem = responses?.["default"];
  if (responses === undefined || problem === undefined || !("content" in problem)) return;
  const codes = [...CODES_OF_ALL];
  if (path.includes("{")) codes.push("not_found");
  if (/\{(?!name\})/.test(path)) codes.push("invalid_id");
  // The size of a body is checked even if the endpoint takes none.
  if (method !== "get") codes.push("payload_too_large");
  if (REPEATABLE.includes(method)) codes.push(...CODES_OF_REPEATABLE);
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

/** Adds the request headers that follow from the form of an endpoint, and the 304 with which they can be answered. */
function describeHeaders(endpoint: Endpoint, path: string, method: Method): void {
  const takeHeader = (name: string, description: string) => {
    const header = { name, in: "header" as const, required: false, description, schema: { type: "string" as const } };
    endpoint.parameters = [...(endpoint.parameters ?? []), header];
  };
  if (REPEATABLE.includes(method))
    takeHeader(
      "Idempotency-Key",
      "For 24 hours, a repeated request with this key gets the same answer, and has its effect only once.",
    );
  if (endpoint.responses?.[ERROR_CODES.precondition_failed.status] !== undefined)
    takeHeader("If-Match", "The `ETag` of the version that you change. The answer is 412 if it is no longer current.");
  if (method === "put") takeHeader("If-None-Match", "`*` only creates. The answer is 412 if there is one already.");
  if (method !== "get" || !/\/\{(?:id|name)\}$/.test(path) || endpoint.responses === undefined) return;
  takeHeader("If-None-Match", "The `ETag` of the version that you have. The answer is 304 if it is still current.");
  endpoint.responses["304"] = { description: "The caller has the current version" };
}

/** Adds an example to each JSON body of the request and of the successful responses. */
function describeExamples({ requestBody, responses = {} }: Endpoint, schemas: Record<string, object>): void {
  const succeeded = Object.entries(responses).filter(([status]) => status.startsWith("2"));
  for (const body of [requestBody, ...succeeded.map(([, response]): unknown => response)] as Partial<DescribedBody>[]) {
    const json = body?.content?.["application/json"];
    if (json?.schema !== undefined) json.example ??= exampleOf(json.schema, schemas);
  }
}
