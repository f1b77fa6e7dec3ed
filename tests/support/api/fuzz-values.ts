// Generates values for the JSON schemas of an OpenAPI document: valid ones, and ones in which some parts are wrong.

import fc from "fast-check";

export interface FuzzSchema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  example?: unknown;
  examples?: unknown[];
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, FuzzSchema>;
  required?: string[];
  additionalProperties?: boolean | FuzzSchema;
  allOf?: FuzzSchema[];
  anyOf?: FuzzSchema[];
  oneOf?: FuzzSchema[];
  items?: FuzzSchema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
}

const EXAMPLE_ID = /^([a-z]{3})_[0-9a-z]{26}$/;
/** The id in the examples of the document. No resource has it. */
export const SOME_ID = "01h455vb4pex5vsknk084sn02q";

const LONE_SURROGATE = "a\ud800b";
const NESTED = "[".repeat(400) + "]".repeat(400);

/** Texts, among them many that parsers, SQL or URLs could mishandle. */
export const text = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "\0",
    "a\0b",
    LONE_SURROGATE,
    "\udfff",
    "\u202e\u200b",
    "𝒳".repeat(300),
    "a".repeat(5_000),
    "'; --",
    "%00",
    "%zz",
    "../..",
    "__proto__",
    "constructor",
    "*",
    "batch.*",
    "null",
    "-1",
    "1e400",
    "9007199254740993",
    "2026-01-22T12:00:00Z",
    "9999-12-31T23:59:60Z",
    "-271821-04-20T00:00:00Z",
    "+275760-09-13T00:00:00.001Z",
    "http://a.example/",
    "http://user:pass@[::1]:99999/",
    "https://\0.example",
    "whsec_",
    "2s",
    "$[?(@.a)]",
  ),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ maxLength: 20 }),
);

const NUMBERS = [0, -0, -1, 1, 250, 251, 0.1, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308, 5e-324];

/** Any JSON value. */
export const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    null,
    true,
    false,
    [],
    {},
    [null],
    { "": null },
    JSON.parse(NESTED),
    JSON.parse('{"__proto__":{"a":1}}'),
  ),
  fc.constantFrom(...NUMBERS),
  text,
  fc.jsonValue({ maxDepth: 3 }),
);

const idOf = (prefix: string): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.nat(20).map((index) => `@${prefix}#${index}`) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(`${prefix}_${SOME_ID}`, `${prefix}_${"0".repeat(26)}`, `${prefix}_7${"z".repeat(25)}`),
    },
  );

/** Generates from `second` in so many `percent` of the cases, and otherwise from `first`. Shrinking prefers `first`. */
export function weighted<T>(first: fc.Arbitrary<T>, second: fc.Arbitrary<T>, percent: number): fc.Arbitrary<T> {
  return fc.oneof({ weight: 100 - percent, arbitrary: first }, { weight: percent, arbitrary: second });
}

const stringOf = (schema: FuzzSchema): fc.Arbitrary<unknown> => {
  const example = schema.example ?? schema.examples?.[0];
  const [, prefix] = EXAMPLE_ID.exec(String(example)) ?? [];
  if (prefix !== undefined) return idOf(prefix);
  const plain = fc.string({
    unit: fc.constantFrom("a", "b", "c", "-", "_", ".", "0", "9"),
    minLength: Math.max(1, schema.minLength ?? 1),
    maxLength: Math.max(schema.minLength ?? 1, Math.min(30, schema.maxLength ?? 30)),
  });
  const known = example === undefined ? [] : [fc.constant(example)];
  if (schema.format === "date-time") {
    const times = fc.date({ noInvalidDate: true, min: new Date("2000-01-01"), max: new Date("2100-01-01") });
    return fc.oneof(
      times.map((date) => date.toISOString()),
      ...known,
    );
  }
  if (schema.format === "uri")
    return fc.oneof(
      plain.map((name) => `https://127.0.0.1:9/${name}`),
      ...known,
    );
  return fc.oneof(...known, ...known, plain);
};

/**
 * @param schemas the schemas of the document, by name.
 * @returns a function that gives values for a schema. `faults` is the percentage of parts that get any value instead of a
 * valid one.
 */
export function fuzzValues(schemas: Record<string, FuzzSchema>) {
  const resolve = (schema: FuzzSchema): FuzzSchema =>
    schema.$ref === undefined ? schema : (schemas[schema.$ref.split("/").at(-1) ?? ""] ?? {});

  const typeOf = (schema: FuzzSchema, type: string | undefined, faults: number): fc.Arbitrary<unknown> => {
    const { minimum = -1_000, maximum = 100_000 } = schema;
    switch (type ?? "") {
      case "string":
        return stringOf(schema);
      case "integer":
        return fc.integer({ min: Math.ceil(minimum), max: Math.floor(maximum) });
      case "number":
        return fc.double({ min: minimum, max: maximum, noNaN: true });
      case "boolean":
        return fc.boolean();
      case "null":
        return fc.constant(null);
      case "array":
        return fc.array(valueOf(schema.items ?? {}, faults), {
          minLength: schema.minItems ?? 0,
          maxLength: Math.min(4, schema.maxItems ?? 4),
        });
      case "object":
        return objectOf(schema, faults);
      default:
        return anything;
    }
  };

  const objectOf = (schema: FuzzSchema, faults: number): fc.Arbitrary<unknown> => {
    const fields = Object.fromEntries(
      Object.entries(schema.properties ?? {}).map(([name, value]) => [name, valueOf(value, faults)]),
    );
    const required = (schema.required ?? []).filter((name) => name in fields);
    const whole = fc.record(fields, { requiredKeys: required });
    const { additionalProperties: more } = schema;
    const open =
      typeof more === "object"
        ? fc.dictionary(fc.string({ maxLength: 8 }), valueOf(more, faults), { maxKeys: 3 })
        : fc.constant({});
    const known = fc.tuple(whole, open).map(([own, others]) => ({ ...others, ...own }));
    if (faults === 0) return known;
    const missing = fc.record(fields, { requiredKeys: [] });
    const unknown = fc.tuple(known, text, anything).map(([own, name, value]) => ({ ...own, [name]: value }));
    return weighted(known, fc.oneof(missing, unknown), faults);
  };

  const valueOf = (unresolved: FuzzSchema, faults: number): fc.Arbitrary<unknown> => {
    const schema = resolve(unresolved);
    const good = goodOf(schema, faults);
    return faults === 0 ? good : weighted(good, anything, faults);
  };

  const goodOf = (schema: FuzzSchema, faults: number): fc.Arbitrary<unknown> => {
    if (schema.const !== undefined) return fc.constant(schema.const);
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices !== undefined) return fc.oneof(...choices.map((choice) => valueOf(choice, faults)));
    if (schema.allOf !== undefined) {
      return fc
        .tuple(...schema.allOf.map((part) => valueOf(part, 0)))
        .map((parts) => Object.assign({}, ...parts) as object);
    }
    const types = [schema.type].flat();
    return fc.oneof(...types.map((type) => typeOf(schema, type, faults)));
  };

  return valueOf;
}
