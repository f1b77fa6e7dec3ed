// Puts the schemas of the document into the plainest form that says the same, so that generators of clients in other
// languages can read them.

/** Keywords that say nothing about which values are valid. They may stand beside a `$ref`. */
const ANNOTATIONS = ["description", "default", "example", "examples"];

const MAX_INT32 = 2 ** 31 - 1;

interface Keywords {
  $ref?: string;
  type?: string | string[];
  format?: string;
  maximum?: number;
  enum?: unknown[];
  allOf?: Keywords[];
  properties?: Record<string, Keywords>;
  required?: string[];
}

interface WithSchemas {
  components?: { schemas?: Record<string, object> };
}

/** A copy of a document. */
export const withPlainSchemas = <T extends WithSchemas>(document: T): T => {
  const plain = JSON.parse(JSON.stringify(document), toPlain) as T;
  const schemas: Record<string, Keywords> = plain.components?.schemas ?? {};
  for (const [name, schema] of Object.entries(schemas)) schemas[name] = withAllFields(schema, schemas);
  const names = new Map(Object.entries(schemas).map(([name, schema]) => [valuesOf(schema), name] as const));
  return JSON.parse(JSON.stringify(plain), (key, value: unknown) => withNamedEnum(key, value, names)) as T;
};

/**
 * Writes the fields of a schema out that extends another one by `allOf`. openapi-generator copies the fields of the other
 * one, and forgets which of them take null.
 */
function withAllFields(schema: Keywords, schemas: Readonly<Record<string, Keywords>>): Keywords {
  const { allOf, ...rest } = schema;
  const [base, added, ...others] = allOf ?? [];
  const extended = schemas[base?.$ref?.split("/").at(-1) ?? ""];
  if (extended === undefined || added?.properties === undefined || others.length > 0) return schema;
  const { properties, required = [] } = withAllFields(extended, schemas);
  return {
    ...rest,
    ...added,
    properties: { ...properties, ...added.properties },
    required: [...new Set([...required, ...(added.required ?? [])])],
  };
}

const valuesOf = ({ enum: values }: Keywords) => (values === undefined ? undefined : JSON.stringify(values));

/**
 * Refers to the enum of the document that has the same values. Some parameters and fields are read by a transformation,
 * which hides from zod-openapi that they take a named enum.
 */
function withNamedEnum(key: string, value: unknown, names: ReadonlyMap<string | undefined, string>): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { type: _, enum: values, ...rest } = value as Keywords;
  const name = values === undefined ? undefined : names.get(JSON.stringify(values));
  return name === undefined || name === key ? value : { $ref: `#/components/schemas/${name}`, ...rest };
}

function toPlain(key: string, value: unknown): unknown {
  // zod-openapi appends a flag to patterns, as in `^a$/u`. JSON Schema has no flags and reads every pattern as if it had
  // this one. No pattern of our own ends in "/u".
  if (key === "pattern" && typeof value === "string") return value.replace(/\/u$/, "");
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return withFormat(withoutAllOf(value));
}

/** `{allOf: [{$ref}, {description}]}` becomes `{$ref, description}`: the description adds nothing to a type. */
function withoutAllOf(schema: Keywords): Keywords {
  const { allOf, ...rest } = schema;
  const [reference, notes, ...others] = allOf ?? [];
  if (reference?.$ref === undefined || notes === undefined || others.length > 0) return schema;
  if (!Object.keys(notes).every((keyword) => ANNOTATIONS.includes(keyword))) return schema;
  return { ...rest, ...reference, ...notes };
}

/** The size of each number, for languages in which a number has one. */
function withFormat(schema: Keywords): Keywords {
  const { type, format, maximum = Infinity } = schema;
  const types = [type].flat();
  if (format !== undefined) return schema;
  if (types.includes("integer")) return { ...schema, format: maximum <= MAX_INT32 ? "int32" : "int64" };
  return types.includes("number") ? { ...schema, format: "double" } : schema;
}
