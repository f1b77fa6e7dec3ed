// What makes the document readable for people and for generators of clients: names, patterns, formats, headers.

import { expect } from "vitest";

import {
  type DescribedContent,
  type DescribedEndpoint,
  type DescribedSchema,
  endpointsOf,
  schemasOf,
} from "../../../../../tests/support/api/described-endpoints.ts";
import { test as base } from "../../../../../tests/support/api/test-api.ts";
import { createApi } from "../api.ts";
import { createDocument } from "./document.ts";

const test = base
  .extend("document", { scope: "file" }, ({ api }) => createDocument(createApi(api)))
  .extend("endpoints", { scope: "file" }, ({ document }) => endpointsOf(document));

type Document = ReturnType<typeof createDocument>;

const nameOf = ({ method, path }: DescribedEndpoint) => `${method} ${path}`;

/** The endpoints that break a rule. */
const breaking = (endpoints: readonly DescribedEndpoint[], isBroken: (endpoint: DescribedEndpoint) => boolean) =>
  endpoints.filter(isBroken).map(nameOf);

const enumsOf = (schema: DescribedSchema) => (schema.enum === undefined ? [] : [JSON.stringify(schema.enum)]);

test("the license has its SPDX identifier, and a server is named", ({ document }) => {
  expect(document.info.license).toEqual({ name: "MIT License", identifier: "MIT" });
  expect(document.servers).toMatchObject([{ url: "/" }]);
});

test("every endpoint has a summary in one line, a description, and one tag that the document explains", ({
  document,
  endpoints,
}) => {
  const tags = (document.tags ?? []).map(({ name }) => name);
  const isBroken = ({ summary = "", description = "", tags: [tag = "", ...others] = [] }: DescribedEndpoint) =>
    summary === "" || summary.length > 80 || description === "" || !tags.includes(tag) || others.length > 0;
  expect(breaking(endpoints, isBroken)).toEqual([]);
  expect((document.tags ?? []).filter(({ description = "" }) => description === "")).toEqual([]);
  const used = [...endpoints, ...webhooksOf(document)].flatMap((endpoint) => endpoint.tags ?? []);
  expect(tags.filter((tag) => !used.includes(tag))).toEqual([]);
});

const webhooksOf = (document: Document) => Object.values(document.webhooks ?? {}).flatMap(({ post }) => post ?? []);

test("every webhook has a type of its own, and no tag of an endpoint, of which generators would overwrite the file", ({
  document,
  endpoints,
}) => {
  const webhooks = webhooksOf(document);
  expect(webhooks.length).toBeGreaterThan(10);
  const types = webhooks.map(({ requestBody }) => {
    const content = requestBody !== undefined && "content" in requestBody ? requestBody.content : {};
    const schema = content["application/json"]?.schema ?? {};
    return "$ref" in schema ? schema.$ref : undefined;
  });
  expect(types).not.toContain(undefined);
  expect(new Set(types).size).toBe(webhooks.length);
  const tagsOfEndpoints = new Set(endpoints.flatMap(({ tags }) => tags ?? []));
  expect(webhooks.flatMap(({ tags }) => tags ?? []).filter((tag) => tagsOfEndpoints.has(tag))).toEqual([]);
});

/** The public types of java.lang in Java 21, which every file in Java sees, so that another one of that name is ambiguous. */
const JAVA_LANG =
  /^(Appendable|AutoCloseable|Boolean|Byte|CharSequence|Character|Class|ClassLoader|ClassValue|Cloneable|Comparable|Compiler|Deprecated|Double|Enum|Error|Exception|Float|FunctionalInterface|InheritableThreadLocal|Integer|Iterable|Long|Math|Module|ModuleLayer|Number|Object|Override|Package|Process|ProcessBuilder|ProcessHandle|Readable|Record|Runnable|Runtime|RuntimePermission|SafeVarargs|ScopedValue|SecurityManager|Short|StackTraceElement|StackWalker|StrictMath|String|StringBuffer|StringBuilder|StringTemplate|SuppressWarnings|System|Thread|ThreadGroup|ThreadLocal|Throwable|Void)$/;

/** What openapi-generator puts beside the types in Java and Python. */
const OF_GENERATOR =
  /^(Api[A-Z]\w*|AbstractOpenApiSchema|Configuration|JSON|OpenApiException|Pair|RFC3339\w+|Server\w+|\w+Api)$/;

test("no type has the name of one that Java has everywhere, or that a generated client has", ({ document }) => {
  const names = Object.keys(document.components?.schemas ?? {});
  expect(names.length).toBeGreaterThan(100);
  expect(names.filter((name) => JAVA_LANG.test(name) || OF_GENERATOR.test(name))).toEqual([]);
});

/** The fields of requests: what the reference, the editor of a settings file and the options of the command line explain. */
function fieldsOfRequests(document: Document, endpoints: readonly DescribedEndpoint[]): Map<string, DescribedSchema[]> {
  const components: Record<string, DescribedSchema> = document.components?.schemas ?? {};
  const fields = new Map<string, DescribedSchema[]>();
  const seen = new Set<DescribedSchema>();
  /** The schema itself, and those that it refers to. */
  const partsOf = (schema: DescribedSchema): DescribedSchema[] => [
    schema,
    ...[...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap(partsOf),
    ...(schema.$ref === undefined ? [] : partsOf(components[schema.$ref.split("/").at(-1) ?? ""] ?? {})),
  ];
  const visit = (schema: DescribedSchema, at: string) => {
    for (const part of partsOf(schema)) {
      if (seen.has(part)) continue;
      seen.add(part);
      for (const [name, field] of Object.entries<DescribedSchema>(part.properties ?? {})) {
        fields.set(`${at} ${name}`, partsOf(field));
        visit(field, `${at} ${name}`);
      }
      if (part.items !== undefined) visit(part.items, at);
    }
  };
  for (const endpoint of endpoints) {
    for (const { schema } of Object.values(endpoint.requestBody?.content ?? {})) visit(schema, nameOf(endpoint));
  }
  return fields;
}

test("every field of a request has a description", ({ document, endpoints }) => {
  const fields = [...fieldsOfRequests(document, endpoints)];
  expect(fields.length).toBeGreaterThan(100);
  const undescribed = fields.filter(([, parts]) => !parts.some(({ description = "" }) => description !== ""));
  expect(undescribed.map(([at]) => at)).toEqual([]);
});

/** The fields and parameters that hold ids of several kinds. */
const ANY_KIND = /^\/components\/schemas\/(AuditedResource|StatsRow|SecretExpiring)\/|^\/paths\/~1v1~1audit\/get\//;

test("every id has the pattern of its kind", ({ document, endpoints }) => {
  const withoutPattern = endpoints.flatMap((endpoint) =>
    (endpoint.parameters ?? [])
      .filter(({ name, in: place }) => place === "path" && /^(id|.*_id)$/.test(name))
      .filter(({ schema }) => schema?.pattern === undefined)
      .map(({ name }) => `${nameOf(endpoint)} {${name}}`),
  );
  expect(withoutPattern).toEqual([]);
  const unlike = schemasOf(document).filter(({ at, schema }) => {
    if (schema.type === "array") return false;
    const example = [schema.example, schema.examples].flat().find((each) => typeof each === "string");
    const prefix = /^([a-z]{3})_01h455vb4pex5vsknk084sn02q$/.exec(String(example))?.[1];
    return prefix !== undefined && schema.pattern?.startsWith(`^${prefix}_`) !== true && !ANY_KIND.test(at);
  });
  expect(unlike.map(({ at }) => at)).toEqual([]);
});

/**
 * What Python's `re`, Go's RE2 and Java read alike: no Unicode classes or escapes, no look-around, no back references, no
 * named groups, and no count above 1,000.
 */
const NOT_PORTABLE = /\\[pPukbB]|\\[1-9]|\(\?(?!:)|\{\d*,?(?:[1-9]\d{3,}|100[1-9])\}/;

test("every pattern can be read by Python, Go and Java", ({ document }) => {
  const patterns = schemasOf(document).flatMap(({ schema }) => schema.pattern ?? []);
  expect(patterns.length).toBeGreaterThan(50);
  expect(patterns.filter((pattern) => NOT_PORTABLE.test(pattern))).toEqual([]);
  for (const pattern of patterns) expect(() => new RegExp(pattern, "u")).not.toThrow();
});

test("every number has a format, which fits its limits", ({ document }) => {
  const numbers = schemasOf(document).filter(({ schema }) =>
    [schema.type].flat().some((type) => type === "integer" || type === "number"),
  );
  expect(numbers.length).toBeGreaterThan(30);
  const wrong = numbers.filter(({ schema: { format = "", maximum = Infinity } }) =>
    format === "int32" ? maximum >= 2 ** 31 : format !== "int64" && format !== "double",
  );
  expect(wrong.map(({ at }) => at)).toEqual([]);
});

test("every enum has a name, and no two are the same", ({ document }) => {
  const all = schemasOf(document).filter(({ schema }) => schema.enum !== undefined && schema.enum.length > 1);
  expect(all.map(({ at }) => at).filter((at) => !/^\/components\/schemas\/[A-Za-z]+$/.test(at))).toEqual([]);
  const values = all.flatMap(({ schema }) => enumsOf(schema));
  expect(values.length).toBeGreaterThan(30);
  expect(values.filter((each, index) => values.indexOf(each) < index)).toEqual([]);
});

const schemaOf = (described: DescribedContent | undefined) => described?.content?.["application/json"]?.schema;

const isNamed = (described: DescribedContent | undefined) => {
  const schema = schemaOf(described);
  return schema === undefined || schema.$ref !== undefined;
};

test("every JSON body and every JSON answer has a named schema, and a list answers a page", ({ endpoints }) => {
  const nameless = breaking(endpoints, ({ path, requestBody, responses }) => {
    // The body of an event is any JSON.
    if (path === "/v1/events/{id}/body") return false;
    return ![requestBody, ...Object.values(responses)].every(isNamed);
  });
  expect(nameless).toEqual([]);
  const lists = endpoints.filter(({ operationId = "" }) => operationId.startsWith("list"));
  expect(lists.length).toBeGreaterThan(10);
  for (const { responses } of lists) expect(schemaOf(responses["200"])?.$ref).toMatch(/Page$/);
});

test("an empty body has one schema", ({ document }) => {
  const empty = schemasOf(document).filter(
    ({ schema }) =>
      schema.type === "object" &&
      schema.additionalProperties !== true &&
      typeof schema.additionalProperties !== "object" &&
      Object.keys(schema.properties ?? {}).length === 0,
  );
  expect(empty.map(({ at }) => at)).toEqual(["/components/schemas/Empty"]);
});

test("a reference has no allOf around it, and null is beside it in an anyOf", ({ document }) => {
  const odd = schemasOf(document).filter(({ schema: { allOf, type } }) => {
    if (type === "null") return false;
    return allOf !== undefined && !allOf.some(({ properties = {} }) => Object.keys(properties).length > 0);
  });
  expect(odd.map(({ at }) => at)).toEqual([]);
  const nulls = schemasOf(document).filter(({ schema: { type } }) => type === "null");
  expect(nulls.map(({ at }) => at).filter((at) => !at.endsWith("/anyOf/1"))).toEqual([]);
});

test("no endpoint has two parameters with names that a language would make one of", ({ endpoints }) => {
  const twice = breaking(endpoints, ({ parameters = [] }) => {
    const names = parameters.map(({ name }) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, ""));
    return new Set(names).size < names.length;
  });
  expect(twice).toEqual([]);
});

test("every answer names its headers, and each is a shared component", ({ document, endpoints }) => {
  const known = Object.keys(document.components?.headers ?? {});
  const used = new Set<string>();
  const lacking = breaking(endpoints, ({ responses }) =>
    Object.values(responses).some(({ headers = {} }) => {
      for (const [name, { $ref }] of Object.entries(headers)) {
        expect($ref).toBe(`#/components/headers/${name}`);
        used.add(name);
      }
      return headers["X-Request-Id"] === undefined;
    }),
  );
  expect(lacking).toEqual([]);
  expect([...used].toSorted()).toEqual(known.toSorted());
});

const isFilled = ({ example, default: usual }: DescribedSchema = {}) => example !== undefined && example !== usual;

test("no parameter has an example that the reference page would send", ({ document, endpoints }) => {
  const schemas = (document.components?.schemas ?? {}) as Record<string, DescribedSchema>;
  const resolve = (schema: DescribedSchema = {}) => schemas[schema.$ref?.split("/").at(-1) ?? ""];
  const filled = endpoints.flatMap((endpoint) =>
    (endpoint.parameters ?? [])
      .filter(({ example, schema }) => isFilled({ example }) || isFilled(schema) || isFilled(resolve(schema)))
      .map(({ name }) => `${nameOf(endpoint)} ${name}`),
  );
  // Without an end, the page would show nothing of the stream.
  expect(filled).toEqual(["get /v1/tail for_seconds"]);
});
