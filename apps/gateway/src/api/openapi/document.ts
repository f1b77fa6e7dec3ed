// The OpenAPI document, made of the schemas that validate: at /openapi.json. It has no secrets in it, so it needs no
// key, and neither has the reference page that shows it.

import type { OpenAPIHono } from "@hono/zod-openapi";

import { ERROR_CODES, type ErrorCode } from "@sluice/shared/runtime/errors";

import type { ApiEnv } from "../http/api-env.ts";
import { describeCodes } from "../http/problems.ts";
import { endpointName } from "./endpoint-name.ts";
import { exampleOf } from "./example.ts";

type Document = ReturnType<OpenAPIHono<ApiEnv>["getOpenAPI31Document"]>;
type Endpoint = NonNullable<NonNullable<Document["paths"]>[string]["get"]>;

/** What a request or a response may be made of. */
interface DescribedBody {
  content: Partial<Record<string, { schema?: object; example?: unknown }>>;
}

const METHODS = ["get", "post", "put", "patch", "delete"] as const;

type Method = (typeof METHODS)[number];

const DESCRIPTION = `
Sluice takes the webhooks of the Gemini API, verifies them, and delivers each to every target that subscribed.

- **Errors** are problem documents (RFC 9457). Their \`code\` is stable; \`errors\` names each field at fault.
- **Lists** are pages: \`limit\`, and \`cursor\` with the \`next_cursor\` of the page before.
- **Keys** have scopes: \`read\` for every GET, \`write\` for every change too, \`admin\` also for keys and the audit trail.
- **Unknown** query parameters and body fields are refused by name.
`.trim();

/** What any endpoint may answer; the first part of a code's row in docs/errors.md says when. */
const OF_ALL: ErrorCode[] = ["unauthenticated", "forbidden", "rate_limited", "internal", "unavailable"];
const OF_INPUT: ErrorCode[] = ["invalid_request"];
const OF_POST: ErrorCode[] = ["idempotency_in_progress", "idempotency_answer_lost", "idempotency_key_reused"];
/** Its body is limited also where it is not read. */
const OF_CHANGE: ErrorCode[] = ["payload_too_large"];
const OF_BODY: ErrorCode[] = ["unsupported_media_type"];

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
      describeConditions(endpoint, path, method);
      describeExamples(endpoint, document.components?.schemas ?? {});
    }
  }
  return document;
}

/** A pattern of JSON Schema has no flags, and none ends in "/u": it is read as if it had that one. */
const withoutFlags = (document: Document): Document =>
  JSON.parse(JSON.stringify(document), (key, value: unknown) =>
    key === "pattern" && typeof value === "string" ? value.replace(/\/u$/, "") : value,
  ) as Document;

const isList = ({ parameters = [] }: Endpoint) =>
  parameters.some((parameter) => "name" in parameter && ["cursor", "page_token"].includes(parameter.name));

/** Puts the codes that a route need not name itself beside those that it names. */
function describeProblems(endpoint: Endpoint, path: string, method: Method): void {
  const { responses } = endpoint;
  const problem = responses?.["default"];
  if (responses === undefined || problem === undefined || !("content" in problem)) return;
  const codes = [...OF_ALL, ...OF_INPUT];
  if (path.includes("{")) codes.push("invalid_id", "not_found");
  if (method !== "get") codes.push(...OF_CHANGE);
  if (method === "post") codes.push(...OF_POST);
  if (endpoint.requestBody !== undefined) codes.push(...OF_BODY);
  if (endpoint.parameters?.some((parameter) => "name" in parameter && parameter.name === "cursor")) {
    codes.push("invalid_cursor");
  }
  const byStatus = Map.groupBy(codes, (code) => String(ERROR_CODES[code].status));
  const named = Object.keys(responses).filter((status) => /^[45]/.test(status));
  for (const status of new Set([...named, ...byStatus.keys()])) {
    const own = responses[status];
    const ofRule = describeCodes(byStatus.get(status) ?? []);
    const described = [own !== undefined && "description" in own ? own.description : "", ofRule];
    responses[status] = { ...problem, description: described.filter((text) => text !== "").join("; ") };
  }
}

/** The headers of conditions and repeats that a route takes, and what the read of a single resource answers to one. */
function describeConditions(endpoint: Endpoint, path: string, method: Method): void {
  const take = (name: string, description: string) => {
    const header = { name, in: "header" as const, required: false, description, schema: { type: "string" as const } };
    endpoint.parameters = [...(endpoint.parameters ?? []), header];
  };
  if (method === "post") take("Idempotency-Key", "The same request with the same key has one effect in 24 hours");
  if (endpoint.responses?.[ERROR_CODES.precondition_failed.status] !== undefined)
    take("If-Match", "The `ETag` that the change is made of; 412 when it is another one by now");
  if (method !== "get" || !path.endsWith("/{id}") || endpoint.responses === undefined) return;
  take("If-None-Match", "The `ETag` that the caller has");
  endpoint.responses["304"] = { description: "It is what the caller has" };
}

/** Beside each body of JSON that is taken, and each that is answered when all went well. */
function describeExamples({ requestBody, responses = {} }: Endpoint, schemas: Record<string, object>): void {
  const succeeded = Object.entries(responses).filter(([status]) => status.startsWith("2"));
  for (const body of [requestBody, ...succeeded.map(([, response]): unknown => response)] as Partial<DescribedBody>[]) {
    const json = body?.content?.["application/json"];
    if (json?.schema !== undefined) json.example ??= exampleOf(json.schema, schemas);
  }
}
