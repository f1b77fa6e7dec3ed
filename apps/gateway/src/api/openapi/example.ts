// Makes an example from a schema. The example follows the schema, so it is never out of date.

import { exampleId } from "@sluice/shared/domain/ids";

interface Schema {
  $ref?: string;
  type?: string | string[];
  example?: unknown;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  format?: string;
  minimum?: number;
  properties?: Record<string, object>;
  required?: string[];
  items?: object;
  allOf?: object[];
  anyOf?: object[];
  oneOf?: object[];
}

const EXAMPLES_BY_FORMAT: Partial<Record<string, string>> = { "date-time": "2026-01-22T12:00:00Z" };

/** Examples for text fields, by the name of the field. A field whose schema has an example of its own uses that one. */
const EXAMPLES_BY_FIELD: Partial<Record<string, unknown>> = {
  event: exampleId("evt"),
  delivery: exampleId("dlv"),
  target: exampleId("tgt"),
  source: exampleId("src"),
  webhook_id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  event_type: "batch.succeeded",
  name: "billing",
  uri: "http://billing.internal:3000/gemini",
  new_signing_secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  truncated_secret: "whsec_...LaSw",
  request_id: "0198c5a2-7a3f-7cc1-9d0e-3f6b8f0f7a11",
  remote_address: "192.0.2.1",
};

/**
 * A value that is valid under the schema. An optional field is included only if its schema has an example. A nullable
 * value without an example is null. The result is undefined when the schema does not say enough.
 * @param schemas the `components.schemas` of the document, to which `$ref` points.
 */
export function exampleOf(schema: object, schemas: Record<string, object>): unknown {
  const exampleFor = (part: object) => exampleOf(part, schemas);
  const { $ref, example, allOf, anyOf, oneOf, items, properties, ...own }: Schema = schema;
  if (example !== undefined) return example;
  if ($ref !== undefined) return exampleFor(schemas[$ref.slice($ref.lastIndexOf("/") + 1)] ?? {});
  // Some parts of an `allOf` only add a description, and give no example.
  if (allOf !== undefined) return mergeAll(allOf.map(exampleFor));
  const [choice] = anyOf ?? oneOf ?? [];
  if (choice !== undefined) return exampleFor(choice);
  if (own.const !== undefined) return own.const;
  if (own.default !== undefined) return own.default;
  const types = [own.type].flat();
  if (types.includes("null")) return null;
  if (own.enum !== undefined) return own.enum[0];
  if (types.includes("object")) return exampleOfObject(properties ?? {}, own.required ?? [], exampleFor);
  if (types.includes("array"))
    return items === undefined ? [] : [exampleFor(items)].filter((item) => item !== undefined);
  if (types.includes("boolean")) return false;
  if (types.includes("integer") || types.includes("number")) return own.minimum ?? 1;
  return own.format === undefined ? undefined : EXAMPLES_BY_FORMAT[own.format];
}

function exampleOfObject(
  properties: Record<string, object>,
  required: readonly string[],
  exampleFor: (schema: object) => unknown,
): object {
  const fields = Object.entries(properties).flatMap(([name, schema]: [string, Schema]) => {
    if (!required.includes(name) && schema.example === undefined) return [];
    const isText = [schema.type].flat().includes("string") && schema.enum === undefined;
    const value =
      isText && schema.example === undefined ? (EXAMPLES_BY_FIELD[name] ?? exampleFor(schema)) : exampleFor(schema);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(fields);
}

function mergeAll(parts: readonly unknown[]): unknown {
  const objects = parts.filter((part) => typeof part === "object" && part !== null);
  return objects.length === 0 ? parts.find((part) => part !== undefined) : Object.assign({}, ...objects);
}
