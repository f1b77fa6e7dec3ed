// The JSON Schema of a file of settings, for editors: made from the document of the API, so that a field of the API is a field of
// the file. Beside its own form, a text can be a placeholder.

import { createApi } from "@sluice/gateway/api/api";
import { createDocument } from "@sluice/gateway/api/openapi/document";

import type { TestApi } from "./test-api.ts";

type Schema = Record<string, unknown>;

const PLACEHOLDER = { type: "string", pattern: String.raw`\$\{(env:[A-Za-z_][A-Za-z0-9_]*|file:[^}]+)\}` };
const REFERENCE = "#/components/schemas/";

export function makeSettingsSchema(api: TestApi): Schema {
  const schemas = (createDocument(createApi(api)).components?.schemas ?? {}) as Record<string, Schema>;
  const used = new Map<string, Schema>();
  const root = convert(schemas["SettingsFile"] ?? {});
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A file of settings of Sluice",
    ...root,
    description: "docs/configuration-file.md explains it.",
    $defs: Object.fromEntries([...used].toSorted(([one], [other]) => (one < other ? -1 : 1))),
  };

  function convert(schema: unknown): Schema {
    if (typeof schema !== "object" || schema === null) return {};
    const { $ref, example: _, examples: __, writeOnly: ___, ...own } = schema as Schema & { $ref?: string };
    if ($ref !== undefined) return { ...own, $ref: `#/$defs/${use($ref.slice(REFERENCE.length))}` };
    const converted = Object.fromEntries(Object.entries(own).map(([key, value]) => [key, convertPart(key, value)]));
    const isText = own["type"] === "string" || (Array.isArray(own["type"]) && own["type"].includes("string"));
    const isLimited = ["pattern", "format", "minLength", "enum"].some((key) => key in own);
    if (!isText || !isLimited) return converted;
    const { description, ...form } = converted;
    return { ...(description !== undefined && { description }), anyOf: [form, PLACEHOLDER] };
  }

  function convertPart(key: string, value: unknown): unknown {
    if (key === "properties" || key === "patternProperties")
      return Object.fromEntries(
        Object.entries(value as Record<string, unknown>).map(([name, each]) => [name, convert(each)]),
      );
    if (["items", "additionalProperties", "propertyNames", "not"].includes(key))
      return typeof value === "object" ? convert(value) : value;
    if (["anyOf", "oneOf", "allOf"].includes(key)) return (value as unknown[]).map(convert);
    return value;
  }

  function use(name: string): string {
    if (!used.has(name)) {
      used.set(name, {});
      used.set(name, convert(schemas[name] ?? {}));
    }
    return name;
  }
}
