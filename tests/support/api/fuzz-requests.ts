// Generates requests for the endpoints of an OpenAPI document: some valid, some that no client should send. They are made
// from the document alone, so a new endpoint is covered as soon as it is described.

import fc from "fast-check";

import { anything, type FuzzSchema, fuzzValues, SOME_ID, text, weighted } from "./fuzz-values.ts";

interface FuzzEndpoint {
  parameters?: { name: string; in: string; required?: boolean; example?: unknown; schema: FuzzSchema }[];
  requestBody?: { content: Record<string, { schema: FuzzSchema }> };
}

export interface FuzzDocument {
  paths?: Record<string, Record<string, FuzzEndpoint>>;
  components?: { schemas?: Record<string, FuzzSchema> };
}

export interface FuzzRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | Uint8Array | undefined;
}

/** A placeholder for an id that the API has shown: `@tgt#3` stands for the fourth one with the prefix `tgt`. */
const KNOWN_ID = /@([a-z]{3})#(\d+)/g;

/** @returns a function that gives the requests for one endpoint. */
export function fuzzRequests(document: FuzzDocument) {
  const valueOf = fuzzValues(document.components?.schemas ?? {});
  const bodyOf = (schema: FuzzSchema | undefined) => {
    const values = [fc.oneof(anything, fc.constant({}))];
    if (schema !== undefined)
      values.push(valueOf(schema, 0), valueOf(schema, 0), valueOf(schema, 8), valueOf(schema, 30));
    const json: fc.Arbitrary<string | Uint8Array> = fc.oneof(...values).map((value) => JSON.stringify(value));
    const broken = fc.oneof<fc.Arbitrary<string | Uint8Array>[]>(
      fc.constantFrom<(string | Uint8Array)[]>(
        "",
        "{",
        "{}{}",
        "\ufeff{}",
        '{"name":"a","name":1}',
        '"\\ud800"',
        '{"\\u0000":"\\u0000"}',
        "1e999",
        "NaN",
        "[".repeat(100_000),
        `{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
        `"${"a".repeat(300_000)}"`,
      ),
      json.map((whole) => whole.slice(0, whole.length / 2)),
      fc.uint8Array({ maxLength: 40 }),
    );
    return weighted<string | Uint8Array | undefined>(json, fc.oneof(broken, fc.constant(undefined)), 15);
  };

  const pathOf = (
    template: string,
    parameters: readonly { name: string; in: string; schema: FuzzSchema; example?: unknown }[],
  ) => {
    const inPath = parameters.filter((parameter) => parameter.in === "path");
    const values = inPath.map(({ example, schema }) =>
      weighted(
        valueOf({ ...schema, ...(example !== undefined && { example }) }, 0).map((value) => encode(String(value))),
        fc.oneof(
          text.map(encode),
          fc.constantFrom(
            "%zz",
            "%",
            "%E0%A4%A",
            "%2e%2e",
            "%2F",
            "a%2Fb",
            ".",
            "%23",
            "%3Aretry",
            `TGT_${SOME_ID}`,
            `xxx_${SOME_ID}`,
            `tgt_${"z".repeat(26)}`,
            "a".repeat(9_000),
          ),
        ),
        25,
      ),
    );
    return fc
      .tuple(...values)
      .map((given) =>
        inPath.reduce((path, { name }, index) => path.replace(`{${name}}`, () => given[index] ?? ""), template),
      );
  };

  const queryOf = (parameters: readonly { name: string; in: string; required?: boolean; schema: FuzzSchema }[]) => {
    const pairs = parameters
      .filter((parameter) => parameter.in === "query")
      .map(({ name, required, schema }) => {
        const value = fc.oneof(
          { weight: 4, arbitrary: valueOf(schema, 0).map((given) => [given].flat().map(String)) },
          { weight: 1, arbitrary: fc.array(text, { maxLength: 3 }) },
        );
        const given = value.map((values) => values.map((one) => `${name}=${encode(one)}`));
        return weighted(fc.constant<string[]>([]), given, required === true ? 95 : 35);
      });
    const odd = fc.constantFrom(
      "nonsense=1",
      "=",
      "&&&",
      "limit",
      "limit[]=1",
      "%zz=%zz",
      "a=%ff",
      "__proto__=1",
      "cursor=AAAA",
      "limit=1&limit=2",
      "?",
    );
    const extra = weighted(
      fc.constant<string[]>([]),
      odd.map((one) => [one]),
      8,
    );
    return fc.tuple(extra, ...pairs).map((parts) => {
      const query = parts.flat().join("&");
      return query === "" ? "" : `?${query}`;
    });
  };

  /** @param template the path of the endpoint in the document. @param method in lower case. */
  return (template: string, method: string): fc.Arbitrary<FuzzRequest> => {
    const { parameters = [], requestBody } = document.paths?.[template]?.[method] ?? {};
    const schema = Object.values(requestBody?.content ?? {})[0]?.schema;
    const body = schema === undefined ? weighted(fc.constant(undefined), bodyOf(undefined), 10) : bodyOf(schema);
    const otherMethods = fc.constantFrom(
      "GET",
      "HEAD",
      "POST",
      "PUT",
      "PATCH",
      "DELETE",
      "OPTIONS",
      "PROPFIND",
      "get",
      "X-Y",
    );
    return fc
      .record({
        method: weighted(fc.constant(method.toUpperCase()), otherMethods, 8),
        path: pathOf(template, parameters),
        query: queryOf(parameters),
        headers,
        contentType: weighted(fc.constant("application/json"), contentTypes, 8),
        body,
      })
      .map(({ query, contentType, ...request }) => ({
        ...request,
        path: request.path + query,
        headers: {
          ...request.headers,
          ...(request.body !== undefined && contentType !== undefined && { "content-type": contentType }),
        },
      }));
  };
}

const contentTypes = fc.constantFrom(
  undefined,
  "",
  ";;;",
  "text/plain",
  "application/json; charset=utf-16",
  "application/merge-patch+json",
  "application/x-www-form-urlencoded",
  "multipart/form-data",
  "multipart/form-data; boundary=x",
);

/** Values with characters that HTTP allows. A client refuses to send others; only a raw socket can. */
const headerText = fc.oneof(
  fc.constantFrom(
    "",
    "*",
    '"',
    '""',
    "W/",
    'W/"a"',
    '"a", "b"',
    "a".repeat(256),
    "ü",
    "gzip;q=",
    "bytes=0-",
    "bytes=5-1",
    "identity;q=0",
  ),
  fc.string({ maxLength: 20 }).map((value) => value.trim()),
);

const headers = fc
  .record(
    Object.fromEntries(
      [
        "idempotency-key",
        "if-match",
        "if-none-match",
        "x-request-id",
        "accept-encoding",
        "range",
        "accept",
        "origin",
        "last-event-id",
        "x-http-method-override",
        "x-goog-api-key",
      ].map((name) => [name, name === "x-goog-api-key" ? fc.constantFrom("", "not a key") : headerText] as const),
    ),
    { requiredKeys: [] },
  )
  .chain((all) =>
    fc
      .subarray(Object.keys(all), { maxLength: 2 })
      .map((names) => Object.fromEntries(names.map((name) => [name, all[name] ?? ""]))),
  );

/** Percent-encodes a value, but not a placeholder. As in a browser, a lone surrogate becomes U+FFFD. */
const encode = (value: string) => (value.startsWith("@") ? value : encodeURIComponent(value.toWellFormed()));

export interface RawFuzzRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  chunks: (string | Uint8Array)[];
}

/** Turns valid requests into ones that no HTTP library would send: with odd methods, targets, characters and framings. */
export function spoil(requests: fc.Arbitrary<FuzzRequest>): fc.Arbitrary<RawFuzzRequest> {
  const methods = fc.constantFrom("TRACE", "CONNECT", "G\0T", "PRI", "a".repeat(300));
  const targets = fc.constantFrom(
    "*",
    "http://[::1",
    "//",
    "/\0",
    "/v1/\xff",
    "http://other.example/v1/sources",
    "/v1/sources#a",
    "",
    "/../..",
    `/${"a".repeat(15_000)}`,
  );
  const values = fc.constantFrom("\0", "a\tb", "ü\u0080", "a\r\nx-injected: 1", "a".repeat(17_000), ",,,", "\x7f");
  const names = [
    "host",
    "x-request-id",
    "idempotency-key",
    "if-match",
    "content-type",
    "accept-encoding",
    "expect",
    "upgrade",
    "connection",
    "authorization",
    "origin",
    "last-event-id",
    "a b",
  ];
  const lengths = fc.constantFrom<Record<string, string>[]>(
    { "content-length": "1000" },
    { "content-length": "1" },
    { "content-length": "-1" },
    { "content-length": "99999999999999999999" },
    { "content-length": "0" },
    { "transfer-encoding": "chunked" },
    { "transfer-encoding": "gzip, chunked" },
    { "transfer-encoding": "chunked", "content-length": "5" },
    { expect: "100-continue", "content-length": "2" },
  );
  const chunked = fc.constantFrom(
    "0\r\n\r\n",
    "2\r\n{}\r\n0\r\n\r\n",
    "2\r\n{}\r\n",
    "zz\r\n",
    "fffffffffffffffff\r\n{}",
    "",
  );
  return fc
    .record({
      request: requests,
      method: weighted<string | undefined>(fc.constant(undefined), methods, 15),
      path: weighted<string | undefined>(fc.constant(undefined), targets, 20),
      header: weighted<Record<string, string>>(
        fc.constant({}),
        fc.tuple(fc.constantFrom(...names), values).map(([name, value]) => ({ [name]: value })),
        40,
      ),
      length: weighted<Record<string, string> | undefined>(fc.constant(undefined), lengths, 40),
      chunk: weighted<string | undefined>(fc.constant(undefined), chunked, 20),
    })
    .map(({ request, method, path, header, length, chunk }) => {
      const body = chunk ?? request.body;
      return {
        method: method ?? request.method,
        path: path ?? request.path,
        headers: {
          ...request.headers,
          ...(length ?? (body !== undefined && { "content-length": String(Buffer.byteLength(body)) })),
          ...header,
        },
        chunks: body === undefined ? [] : [body],
      };
    });
}

/** Collects the ids that the API shows, and puts them in the place of the placeholders of later requests. */
export class KnownIds {
  readonly #ids = new Map<string, Set<string>>();

  /** Remembers every id in an answer. */
  learn(answer: string): void {
    for (const [id, prefix = ""] of answer.matchAll(/\b([a-z]{3})_[0-9a-z]{26}\b/g)) {
      const ids = this.#ids.get(prefix) ?? new Set();
      this.#ids.set(prefix, ids);
      if (ids.size < 200) ids.add(id);
    }
  }

  /** Replaces every placeholder; one without a known id becomes an id that nothing has. */
  putInto({ path, body, ...rest }: FuzzRequest): FuzzRequest {
    const put = (value: string) =>
      value.replaceAll(KNOWN_ID, (_, prefix: string, index: string) => {
        const ids = [...(this.#ids.get(prefix) ?? [])];
        return ids[Number(index) % Math.max(1, ids.length)] ?? `${prefix}_${SOME_ID}`;
      });
    return { ...rest, path: put(path), body: typeof body === "string" ? put(body) : body };
  }
}
