// Changes one field or one parameter of a request at a time, and says by the document alone whether the result is valid.

import addFormats from "ajv-formats";
import { Ajv2020 } from "ajv/dist/2020.js";

import type { DescribedEndpoint, DescribedSchema } from "./described-endpoints.ts";

interface Schema extends DescribedSchema {
  minimum?: number;
  maxLength?: number;
  minLength?: number;
  maxItems?: number;
  items?: Schema;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
}

export interface Mutation {
  /** The JSON pointer of the field in the body. */
  at: string;
  /** The other value of the field; undefined when the field is left out. */
  value?: unknown;
  body: object;
  isValid: boolean;
}

export interface QueryMutation {
  name: string;
  query: string;
  isValid: boolean;
}

interface Document {
  components?: { schemas?: Record<string, object> };
}

/** Values of every type. Each is wrong for most fields. */
const OF_EVERY_TYPE: unknown[] = [
  null,
  true,
  -1,
  0,
  1,
  1.5,
  2 ** 60,
  "",
  "a",
  "1",
  "a\u0001b",
  [],
  ["a"],
  {},
  { a: 1 },
];

export function mutationsOf(document: Document) {
  const schemas = (document.components?.schemas ?? {}) as Record<string, Schema>;
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const validatorOf = (schema: object) => ajv.compile({ ...schema, components: document.components });
  const resolve = (schema: Schema): Schema =>
    schema.$ref === undefined ? schema : { ...schemas[schema.$ref.split("/").at(-1) ?? ""], ...schema };

  /** The schema of the values that are not null. */
  const settled = (schema: Schema): Schema => resolve(resolve(schema).anyOf?.[0] ?? schema);

  const fieldsOf = (schema: Schema, path: string[] = []): { path: string[]; schema: Schema }[] =>
    Object.entries(settled(schema).properties ?? {}).flatMap(([name, field]) => [
      { path: [...path, name], schema: settled(field) },
      ...fieldsOf(field, [...path, name]),
    ]);

  /** @param example a body that is valid. @returns the bodies with one other value each, and one without each field. */
  const bodiesOf = ({ requestBody }: DescribedEndpoint, example: object): Mutation[] => {
    const schema = requestBody?.content?.["application/json"]?.schema;
    if (schema === undefined) return [];
    const validate = validatorOf(schema);
    const toMutation = (path: string[], body: object, value?: unknown) => ({
      at: `/${path.join("/")}`,
      body,
      value,
      isValid: validate(body),
    });
    const changed = fieldsOf(schema).flatMap(({ path, schema: field }) =>
      valuesOf(field).map((value) => toMutation(path, withField(example, path, value), value)),
    );
    const lacking = Object.keys(example).map((name) =>
      toMutation([name], Object.fromEntries(Object.entries(example).filter(([other]) => other !== name))),
    );
    return [...changed, ...lacking, toMutation(["nonsense"], { ...example, nonsense: 1 })];
  };

  const queriesOf = ({ parameters = [] }: DescribedEndpoint): QueryMutation[] =>
    parameters
      .filter((parameter) => parameter.in === "query")
      .flatMap(({ name, schema = {} }) => {
        const validate = validatorOf(schema);
        const kind = settled(schema);
        const values = valuesOf(kind.type === "array" ? settled(kind.items ?? {}) : kind).flatMap((value) =>
          typeof value === "string" || typeof value === "number" ? String(value) : [],
        );
        return [...new Set(values)].map((value) => {
          const isNumber = kind.type === "integer" && /^-?\d+$/.test(value);
          const parsed = isNumber ? Number(value) : kind.type === "array" ? [value] : value;
          return { name, query: `${name}=${encodeURIComponent(value)}`, isValid: validate(parsed) };
        });
      });

  return { bodiesOf, queriesOf };
}

function valuesOf(schema: Schema): unknown[] {
  const { minimum, maximum, minLength, maxLength, maxItems, enum: names = [], example, examples = [] } = schema;
  const { example: item = schema.items?.examples?.[0] ?? schema.items?.enum?.[0] } = schema.items ?? {};
  return [
    ...OF_EVERY_TYPE,
    ...names.slice(0, 1),
    ...[example, ...examples].filter((value) => value !== undefined),
    ...(minimum === undefined ? [] : [minimum, minimum - 1]),
    ...(maximum === undefined ? [] : [maximum, maximum + 1]),
    ...(minLength === undefined ? [] : ["a".repeat(minLength), "a".repeat(Math.max(0, minLength - 1))]),
    ...(maxLength === undefined ? [] : ["a".repeat(maxLength), "a".repeat(maxLength + 1)]),
    ...(item === undefined ? [] : [[item], [item, item]]),
    ...(item === undefined || maxItems === undefined ? [] : [Array.from({ length: maxItems + 1 }, () => item)]),
  ];
}

function withField(body: object, [name = "", ...path]: string[], value: unknown): object {
  if (path.length === 0) return { ...body, [name]: value };
  const inner = (body as Record<string, unknown>)[name];
  return { ...body, [name]: withField(typeof inner === "object" && inner !== null ? inner : {}, path, value) };
}
