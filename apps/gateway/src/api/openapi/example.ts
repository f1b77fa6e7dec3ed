// An example for a schema, made of what the schema says itself, so that it cannot be out of date.

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

const OF_FORMAT: Partial<Record<string, string>> = { "date-time": "2026-01-22T12:00:00Z" };

/** What a field of this name holds, in every schema that has it without an example of its own. */
const OF_NAME: Partial<Record<string, unknown>> = {
  event: "evt_01h455vb4pex5vsknk084sn02q",
  delivery: "dlv_01h455vb4pex5vsknk084sn02q",
  target: "tgt_01h455vb4pex5vsknk084sn02q",
  source: "src_01h455vb4pex5vsknk084sn02q",
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
 * A value that the schema takes. Of fields that may be left out it has those with an example; what may be null and says
 * no more is null. Undefined where the schema says too little: nothing is made up.
 * @param schemas to which `$ref` points: `components.schemas`.
 */
export function exampleOf(schema: object, schemas: Record<string, object>): unknown {
  const exampleFor = (part: object) => exampleOf(part, schemas);
  const { $ref, example, allOf, anyOf, oneOf, items, properties, ...own }: Schema = schema;
  if (example !== undefined) return example;
  if ($ref !== undefined) return exampleFor(schemas[$ref.slice($ref.lastIndexOf("/") + 1)] ?? {});
  // A part that only describes another one has no example.
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
  return own.format === undefined ? undefined : OF_FORMAT[own.format];
}

function exampleOfObject(
  properties: Record<string, object>,
  required: readonly string[],
  exampleFor: (schema: object) => unknown,
): object {
  const fields = Object.entries(properties).flatMap(([name, schema]: [string, Schema]) => {
    if (!required.includes(name) && schema.example === undefined) return [];
    const isText = [schema.type].flat().includes("string") && schema.enum === undefined;
    const value = isText && schema.example === undefined ? (OF_NAME[name] ?? exampleFor(schema)) : exampleFor(schema);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(fields);
}

function mergeAll(parts: readonly unknown[]): unknown {
  const objects = parts.filter((part) => typeof part === "object" && part !== null);
  return objects.length === 0 ? parts.find((part) => part !== undefined) : Object.assign({}, ...objects);
}
