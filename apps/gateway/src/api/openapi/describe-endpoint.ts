// Adds to the description of an endpoint what follows from its form, so that no endpoint has to say it itself.

import { ERROR_CODES, type ErrorCode } from "@sluice/shared/runtime/errors";

import { describeAnswers, type Endpoint, type EndpointPlace, takesIdempotencyKey } from "./describe-answers.ts";
import { endpointName } from "./endpoint-name.ts";
import { exampleOf } from "./example.ts";

/** RFC 9110, 13.1.1: `*`, or a list of tags. */
const ENTITY_TAGS = '^(\\*|(W/)?"[^"]*"(\\s*,\\s*(W/)?"[^"]*")*)$';

/** The body of a request or of a response. */
interface DescribedBody {
  content: Partial<Record<string, { schema?: object; example?: unknown }>>;
}

/** @param schemas the `components.schemas` of the document. */
export function describeEndpoint(endpoint: Endpoint, place: EndpointPlace, schemas: Record<string, object>): void {
  endpoint.operationId ??= endpointName(place.method, place.path, isList(endpoint));
  describeAnswers(endpoint, place);
  describeHeaders(endpoint, place);
  describeParameters(endpoint);
  describeExamples(endpoint, schemas);
}

const isList = ({ parameters = [] }: Endpoint) =>
  parameters.some((parameter) => "name" in parameter && ["cursor", "page_token"].includes(parameter.name));

/** Adds the request headers that follow from the form of an endpoint. */
function describeHeaders(endpoint: Endpoint, { method, path }: EndpointPlace): void {
  const takeHeader = (name: string, description: string, limits: object = {}) => {
    const schema = { type: "string" as const, ...limits };
    const header = { name, in: "header" as const, required: false, description, schema };
    endpoint.parameters = [...(endpoint.parameters ?? []), header];
  };
  if (takesIdempotencyKey({ method, path }))
    takeHeader(
      "Idempotency-Key",
      "For 24 hours, a repeated request with this key gets the same answer, and has its effect only once.",
      { minLength: 1, maxLength: 255, pattern: "^[\\x21-\\x7e]+$" },
    );
  if (endpoint.responses?.[ERROR_CODES.precondition_failed.status] !== undefined)
    takeHeader("If-Match", "The `ETag` of the version that you change. The answer is 412 if it is no longer current.", {
      pattern: ENTITY_TAGS,
    });
  if (hasCode(endpoint, "managed_by_file"))
    takeHeader(
      "Sluice-Force",
      "`true` also changes what a file of settings manages, until the file is applied again.",
      {
        pattern: "^(true|false)$",
      },
    );
  if (method === "put") takeHeader("If-None-Match", "`*` only creates. The answer is 412 if there is one already.");
  if (endpoint.responses?.["304"] !== undefined)
    takeHeader("If-None-Match", "The `ETag` of the version that you have. The answer is 304 if it is still current.", {
      pattern: ENTITY_TAGS,
    });
}

/** Whether an answer can have a code: the description of each answer names its codes. */
const hasCode = ({ responses = {} }: Endpoint, code: ErrorCode): boolean =>
  Object.values(responses).some(
    (response: object) => "description" in response && String(response.description).includes(code),
  );

/**
 * Shows the example of a parameter without filling it in. The reference page sends an `example` with the first request,
 * and a list that is filtered by an example is empty. It does not send `examples` of a schema.
 */
function describeParameters({ parameters = [] }: Endpoint): void {
  for (const parameter of parameters) {
    if (!("schema" in parameter) || parameter.schema === undefined) continue;
    const { example, description, ...schema } = parameter.schema as { example?: unknown; description?: string };
    parameter.schema = {
      ...schema,
      // The parameter has the same description.
      ...(description !== parameter.description && { description }),
      ...(example !== undefined && parameter.example === undefined && { examples: [example] }),
    } as typeof parameter.schema;
  }
}

/** Adds an example to each JSON body of the request and of the successful responses. */
function describeExamples({ requestBody, responses = {} }: Endpoint, schemas: Record<string, object>): void {
  const succeeded = Object.entries(responses).filter(([status]) => status.startsWith("2"));
  for (const body of [requestBody, ...succeeded.map(([, response]): unknown => response)] as Partial<DescribedBody>[]) {
    const json = body?.content?.["application/json"];
    if (json?.schema !== undefined) json.example ??= exampleOf(json.schema, schemas);
  }
}
