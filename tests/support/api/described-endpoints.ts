// Lists the endpoints of the OpenAPI document, for tests that check every endpoint.

interface Described {
  description?: string;
  example?: unknown;
}

/** The keywords of a schema that tests of the document look at. */
export interface DescribedSchema extends Described {
  $ref?: string;
  type?: string | string[];
  format?: string;
  pattern?: string;
  enum?: unknown[];
  examples?: unknown[];
  default?: unknown;
  maximum?: number;
  properties?: Record<string, object>;
  additionalProperties?: boolean | object;
  items?: DescribedSchema;
  allOf?: DescribedSchema[];
  anyOf?: DescribedSchema[];
  oneOf?: DescribedSchema[];
}

export interface DescribedContent {
  content?: Record<string, { schema: DescribedSchema; example?: unknown }>;
}

export interface DescribedEndpoint extends Described {
  /** In lower case, as in the document. */
  method: string;
  path: string;
  operationId?: string;
  summary?: string;
  tags?: string[];
  parameters?: (Described & { name: string; in: string; schema?: DescribedSchema })[];
  requestBody?: DescribedContent & { required?: boolean };
  responses: Record<string, Described & DescribedContent & { headers?: Record<string, { $ref?: string }> }>;
}

/** Keywords whose values are examples, and no schemas. */
const VALUES = ["example", "examples", "default", "enum", "const"];
/** Fields of the document and keywords that hold named schemas. A name may be that of a keyword. */
const NAMED = ["schemas", "properties", "responses", "headers"];

/** Every schema of a part of a document, also the nested ones, with its JSON pointer. */
export function schemasOf(part: object, at = "", isNamed = false): { at: string; schema: DescribedSchema }[] {
  const own = !isNamed && !Array.isArray(part) ? [{ at, schema: part as DescribedSchema }] : [];
  const nested = Object.entries(part).flatMap(([key, value]: [string, unknown]) =>
    typeof value !== "object" || value === null || (!isNamed && VALUES.includes(key))
      ? []
      : schemasOf(value, `${at}/${key.replaceAll("/", "~1")}`, !isNamed && NAMED.includes(key)),
  );
  return [...own, ...nested];
}

/** @param paths the paths of the document, either created by createDocument() or parsed from /openapi.json. */
export function endpointsOf({ paths = {} }: { paths?: Record<string, object> | undefined }): DescribedEndpoint[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, object>).map(([method, endpoint]) => {
      return { ...endpoint, method, path } as unknown as DescribedEndpoint;
    }),
  );
}
