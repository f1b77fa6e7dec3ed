// Compares each answer of the API with its description in the OpenAPI document. Every test of the API uses this, so a
// wrong description makes a test fail.

import addFormats from "ajv-formats";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

import type { createDocument } from "@sluice/gateway/api/openapi/document";

type Document = ReturnType<typeof createDocument>;

interface DescribedResponse {
  description?: string;
  headers?: Record<string, unknown>;
  content?: Record<string, { schema?: object }>;
}

export interface AnswerContract {
  /** @throws Error that says how the answer differs from its description. */
  check: (method: string, path: string, answer: { status: number; headers: Headers; text: string }) => void;
}

/** Headers of HTTP itself, and those that tell browsers what they may do. No answer describes them. */
const GENERAL_HEADERS =
  /^(content-(type|length|encoding|security-policy)|cache-control|vary|connection|x-content-type-options|x-accel-buffering|access-control-.*)$/;

export function createAnswerContract(document: Document): AnswerContract {
  // `strict` would refuse the keywords that OpenAPI adds to JSON Schema, such as `example`.
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ $id: "document", ...document });
  const validators = new Map<string, ValidateFunction>();
  const shared = (document.components?.headers ?? {}) as Record<string, { required?: boolean }>;
  const checkHeaders = (sent: Headers, described: object, describe: (problem: string) => Error) => {
    const names = Object.keys(described);
    const missing = names.filter((name) => shared[name]?.required === true && !sent.has(name));
    if (missing.length > 0) throw describe(`without the headers ${missing.join(", ")}, which are described`);
    const known = names.map((name) => name.toLowerCase());
    const extra = [...sent.keys()].filter((name) => !known.includes(name) && !GENERAL_HEADERS.test(name));
    if (extra.length > 0) throw describe(`the headers ${extra.join(", ")}, which are not described`);
  };
  const routes = Object.entries(document.paths ?? {}).map(([path, item]) => ({ path, item, matches: toPattern(path) }));
  return {
    check: (method, url, { status, headers, text }) => {
      const contentType = headers.get("content-type");
      // JSON.stringify escapes half a character, and nothing else that begins with "d": many parsers refuse it.
      if (
        contentType?.includes("json") === true &&
        !url.endsWith("/body") &&
        /(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(text)
      ) {
        throw new Error(`${method} ${url} answered ${status} with a lone surrogate: ${text}`);
      }
      // The router accepts an encoded colon. The rest of the path may not be valid percent-encoding, so it is not decoded.
      const path = new URL(url, "http://api").pathname.replaceAll(/%3a/gi, ":");
      const route =
        routes.find((known) => known.path === path) ??
        routes.find(({ path: template, matches }) => matches.test(path) && endsAlike(template, path));
      const name = method === "HEAD" ? "get" : (method.toLowerCase() as "get");
      const endpoint = route?.item[name];
      if (route === undefined || endpoint === undefined) return;
      const describe = (problem: string) => new Error(`${method} ${route.path} answered ${status}: ${problem}`);
      const responses: Record<string, DescribedResponse> = endpoint.responses ?? {};
      const key = String(status) in responses ? String(status) : "default";
      const described = responses[key];
      if (described === undefined || key === "default") throw describe("a status that is not described");
      checkHeaders(headers, described.headers ?? {}, describe);
      const type = contentType?.split(";")[0] ?? "";
      if (text === "") return;
      const content = described.content?.[type];
      if (content === undefined) throw describe(`the content type ${type}, which is not described`);
      if (content.schema === undefined || !type.endsWith("json")) return;
      const pointer = ["paths", route.path, name, "responses", key, "content", type, "schema"]
        .map(escapePointer)
        .join("/");
      let validate = validators.get(pointer);
      if (validate === undefined) {
        validate = ajv.compile({ $ref: `document#/${pointer}` });
        validators.set(pointer, validate);
      }
      const body: unknown = JSON.parse(text);
      if (!validate(body)) throw describe(ajv.errorsText(validate.errors));
      if (type !== "application/problem+json") return;
      const { code } = body as { code: string };
      if (described.description?.includes(`\`${code}\``) !== true)
        throw describe(`the code ${code}, which is not described`);
    },
  };
}

const toPattern = (path: string) =>
  new RegExp(`^${path.replaceAll(/[.:*]/g, String.raw`\$&`).replaceAll(/\{[a-z_]+\}/g, "[^/]+")}$`);

/** The pattern of `{id}` also matches `id:retry`, which is another endpoint: only a path with a verb may match a verb. */
const endsAlike = (template: string, path: string) => template.includes(":") || !/:[A-Za-z_-]+$/.test(path);

const escapePointer = (part: string) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"));
