// Makes one request for each endpoint of an OpenAPI document, with the examples of its parameters and only the required
// fields of its body. For tests that call every endpoint.

interface Schema {
  $ref?: string;
  type?: string;
  example?: unknown;
  examples?: unknown[];
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  allOf?: Schema[];
  anyOf?: Schema[];
  items?: Schema;
  minimum?: number;
}

interface DescribedEndpoint {
  parameters?: { name: string; in: string; required?: boolean; example?: unknown; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}

interface OpenApiDocument {
  paths?: Record<string, Record<string, DescribedEndpoint>>;
  components?: { schemas?: Record<string, Schema> };
}

export function minimalRequests(document: OpenApiDocument): { method: string; path: string; body?: string }[] {
  const resolve = (schema: Schema): Schema =>
    schema.$ref === undefined
      ? schema
      : resolve(document.components?.schemas?.[schema.$ref.split("/").at(-1) ?? ""] ?? {});
  const valueOf = (unresolved: Schema): unknown => {
    const schema = resolve(unresolved);
    const given = schema.example ?? schema.examples?.[0] ?? schema.const ?? schema.enum?.[0] ?? schema.default;
    if (given !== undefined) return given;
    const [first] = schema.anyOf ?? [];
    if (first !== undefined) return valueOf(first);
    if (schema.allOf !== undefined) return Object.assign({}, ...schema.allOf.map(valueOf)) as object;
    if (schema.type === "object") {
      const required = Object.entries(schema.properties ?? {}).filter(([name]) => schema.required?.includes(name));
      return Object.fromEntries(required.map(([name, value]) => [name, valueOf(value)]));
    }
    if (schema.type === "array") return schema.items === undefined ? [] : [valueOf(schema.items)];
    if (schema.type === "boolean") return true;
    return schema.type === "string" ? "a-text" : (schema.minimum ?? 1);
  };
  return Object.entries(document.paths ?? {}).flatMap(([template, endpoints]) =>
    Object.entries(endpoints).map(([method, { parameters = [], requestBody }]) => {
      const path = parameters
        .filter((parameter) => parameter.in === "path")
        .reduce(
          (filled, { name, example, schema }) => filled.replace(`{${name}}`, String(example ?? valueOf(schema))),
          template,
        );
      const schema = Object.values(requestBody?.content ?? {})[0]?.schema;
      return { method: method.toUpperCase(), path, ...(schema && { body: JSON.stringify(valueOf(schema)) }) };
    }),
  );
}
