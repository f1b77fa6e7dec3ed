// What the command line knows of each endpoint, read from the OpenAPI document: its path, and the fields of its query and body.

import type { createDocument } from "@sluice/gateway/api/openapi/document";

type Document = ReturnType<typeof createDocument>;

interface Described {
  $ref?: string;
  type?: string | string[];
  anyOf?: Described[];
  enum?: string[];
  items?: Described;
  format?: string;
  description?: string;
  properties?: Record<string, Described>;
  required?: string[];
}

interface DescribedParameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema: Described;
}

interface DescribedCall {
  operationId: string;
  summary: string;
  description?: string;
  parameters?: DescribedParameter[];
  requestBody?: { content: Record<string, { schema: Described }> };
}

/** The command line has commands of its own for these, or none. */
const LEFT_OUT = /^\/v1beta|^\/v1\/webhooks|^\/v1\/configuration|^\/metrics|\/by-name\//;

/** @returns the text of packages/client/src/api-endpoints.ts below its header. */
export function writeEndpointCatalogue(document: Document): string {
  const schemas = (document.components?.schemas ?? {}) as Record<string, Described>;
  const resolve = (schema: Described): Described =>
    schema.$ref === undefined ? schema : { ...resolve(schemas[schema.$ref.split("/").at(-1) ?? ""] ?? {}), ...schema };

  const readField = (name: string, schema: Described, isRequired: boolean): object => {
    const given = resolve(schema);
    const alternatives = (given.anyOf ?? []).map(resolve);
    const own = alternatives.find(({ type }) => type !== "null") ?? given;
    const types = [own.type ?? []].flat();
    const type = types.find((each) => each !== "null") ?? "string";
    const isNullable = types.includes("null") || alternatives.some((each) => each.type === "null");
    const items = own.items && resolve(own.items);
    const kind = type === "array" ? "list" : type === "object" && own.properties === undefined ? "map" : type;
    const values = own.enum ?? items?.enum;
    const description = given.description ?? own.description;
    return {
      name,
      kind,
      ...(values !== undefined && typeof values[0] === "string" && { values }),
      ...(own.format === "date-time" && { isTime: true }),
      ...(isNullable && { isNullable: true }),
      ...(isRequired && { isRequired: true }),
      ...(description !== undefined && { description: description.replaceAll(/\s+/g, " ") }),
      ...(kind === "object" && { fields: readFields(own) }),
    };
  };
  const readFields = (schema: Described): object[] =>
    Object.entries(schema.properties ?? {}).map(([name, field]) =>
      readField(name, field, schema.required?.includes(name) === true),
    );

  const entries = Object.entries(document.paths ?? {}).flatMap(([path, item]) => {
    if (LEFT_OUT.test(path)) return [];
    return Object.entries(item as Record<string, DescribedCall>).map(([method, call]) => {
      const parameters = call.parameters ?? [];
      const query = parameters.filter((one) => one.in === "query" && one.name !== "cursor");
      const body = call.requestBody?.content["application/json"]?.schema;
      const endpoint = {
        method: method.toUpperCase(),
        path,
        summary: call.summary,
        query: query.map(({ name, schema, description, required }) =>
          readField(name, { ...schema, ...(description !== undefined && { description }) }, required === true),
        ),
        body: body === undefined ? [] : readFields(resolve(body)),
        takesForce: parameters.some(({ name }) => name === "Sluice-Force"),
      };
      return [call.operationId, endpoint] as const;
    });
  });
  return `export const API_ENDPOINTS = ${JSON.stringify(Object.fromEntries(entries), null, 2)} as const satisfies Record<string, ApiEndpoint>;\n`;
}
