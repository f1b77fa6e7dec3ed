// What the API does with every request, on every endpoint: keys and scopes, unknown parameters, OPTIONS, request ids,
// compression and CORS.

import { gunzipSync } from "node:zlib";

import { describe, expect } from "vitest";

import { endpointsOf } from "../../../../../tests/support/api/described-endpoints.ts";
import { ADMIN_KEY, type Answer, createTestApi, storeKey, test } from "../../../../../tests/support/api/test-api.ts";
import { createApi } from "../api.ts";
import { createDocument } from "../openapi/document.ts";

const ID = "01h455vb4pex5vsknk084sn02q";
const PREFIXES: Record<string, string> = {
  sources: "src",
  targets: "tgt",
  webhooks: "tgt",
  events: "evt",
  deliveries: "dlv",
  keys: "key",
  audit: "aud",
  operations: "opr",
};

/** Every endpoint of the document. Each id in its path has the right form, and nothing has that id. */
function listEndpoints(api: Parameters<typeof createApi>[0]) {
  return endpointsOf(createDocument(createApi(api))).map(({ method, path, requestBody }) => ({
    method: method.toUpperCase(),
    path: path
      .replace("{token_id}", `itk_${ID}`)
      .replace("{name}", "nothing-has-this-name")
      .replace(
        /^(\/v1(?:beta)?\/(\w+)\/)\{id\}/,
        (_, start: string, list: string) => `${start}${PREFIXES[list]}_${ID}`,
      ),
    takesBody: requestBody !== undefined,
  }));
}

/** The message of a refusal: of a problem document, or of an error in Google's form. */
const textOf = ({ body }: Answer): string => body?.detail ?? body?.error?.message ?? "";

describe("every endpoint of the document", () => {
  test("needs a key with the right scope", async ({ api }) => {
    const [read, write] = [await storeKey(api, ["read"]), await storeKey(api, ["write"])];
    const endpoints = listEndpoints(api);
    expect(endpoints.length).toBeGreaterThan(20);
    for (const { method, path } of endpoints) {
      const isAdmin = /^\/v1\/(keys(?!\/self)|audit|configuration|system\/\w+)\b|:erase$/.test(path);
      const call = (key: string | null) => api.call(method, path, { key });
      expect((await call(null)).status, `${method} ${path}`).toBe(401);
      const forbidden = isAdmin ? [read, write] : method === "GET" ? [] : [read];
      for (const key of [read, write]) {
        const answer = await call(key);
        if (forbidden.includes(key)) {
          const needed = isAdmin && (method === "GET" || key === write) ? "admin" : "write";
          expect(answer.status, `${method} ${path}`).toBe(403);
          expect(answer.body.code ?? answer.body.error.status).toBeOneOf(["forbidden", "PERMISSION_DENIED"]);
          expect(textOf(answer)).toContain(`"${needed}"`);
        } else expect([401, 403], `${method} ${path}`).not.toContain(answer.status);
      }
    }
  });

  test("refuses an unknown query parameter and an unknown field of the body, and names it", async ({ api }) => {
    for (const { method, path, takesBody } of listEndpoints(api)) {
      const unknown = await api.call(method, `${path}?nonsense=1`, takesBody ? { body: {} } : {});
      // The WebhookService ignores it, as Google's does.
      if (/^\/v1(beta)?\/webhooks/.test(path)) expect(textOf(unknown)).not.toContain("nonsense");
      else {
        expect(unknown.status, `${method} ${path}`).toBe(400);
        expect(textOf(unknown), `${method} ${path}`).toContain("?nonsense");
      }
      if (!takesBody) continue;
      const field = await api.call(method, path, { body: { nonsense: 1 } });
      expect(field.status).toBe(400);
      expect(field.body.code ?? field.body.error.status).toBeOneOf(["invalid_request", "INVALID_ARGUMENT"]);
      expect(textOf(field), `${method} ${path}`).toContain("/nonsense");
    }
  });

  test("refuses a compressed body, and says so", async ({ api }) => {
    for (const { method, path, takesBody } of listEndpoints(api)) {
      if (!takesBody) continue;
      const answer = await api.call(method, path, { body: "\u001f", headers: { "content-encoding": "gzip" } });
      expect(answer.status, `${method} ${path}`).toBe(415);
      expect(textOf(answer)).toContain("content-encoding");
    }
  });

  test("is listed by OPTIONS on its path, which needs a key too", async ({ api }) => {
    for (const { method, path } of listEndpoints(api)) {
      const options = await api.call("OPTIONS", path);
      expect(options.status).toBe(204);
      expect(options.headers.get("allow")?.split(", "), path).toContain(method);
      expect((await api.call("OPTIONS", path, { key: null })).status).toBe(401);
    }
  });
});

test("a whole number of any length is capped, or refused with the range that it must be in", async ({ api }) => {
  for (const { method, path, parameters = [] } of endpointsOf(createDocument(createApi(api)))) {
    for (const { name, schema } of parameters) {
      if (method !== "get" || (schema as { type?: string } | undefined)?.type !== "integer") continue;
      for (const digits of ["9".repeat(10), "9".repeat(40)]) {
        const answer = await api.call("GET", `${path}?${name}=${digits}`);
        if (name === "page_size") expect(answer.status).toBe(200);
        else expect(textOf(answer), `${path} ${name}`).toMatch(/must be an integer from 1 to \d+/);
      }
    }
  }
});

describe("X-Request-Id", () => {
  test("from the caller is in the answer, the problem and the log", async ({ api }) => {
    const headers = { "x-request-id": "trace/7f:1" };
    const answer = await api.call("GET", "/v1/nothing", { headers });
    expect(answer.headers.get("x-request-id")).toBe("trace/7f:1");
    expect(answer.body.request_id).toBe("trace/7f:1");
    expect(api.logLines.find(({ request_id: id }) => id === "trace/7f:1")).toMatchObject({
      status: 404,
      key: "environment",
      remote_address: "192.0.2.1",
    });
  });

  test("is generated when the one from the caller is not safe to log", async ({ api }) => {
    for (const id of ["", "a".repeat(129), "two words", "ü"]) {
      const answer = await api.call("GET", "/v1/sources", { headers: { "x-request-id": id } });
      expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    }
    const longest = "a".repeat(128);
    const answer = await api.call("GET", "/v1/sources", { headers: { "x-request-id": longest } });
    expect(answer.headers.get("x-request-id")).toBe(longest);
  });
});

const request = (app: ReturnType<typeof createApi>, path: string, headers: Record<string, string>) =>
  app.request(path, { headers: { authorization: `Bearer ${ADMIN_KEY}`, ...headers } });

describe("gzip", () => {
  test("compresses large answers, with a strong ETag of its own that works in both conditions", async ({ api }) => {
    const audiences = Array.from({ length: 10 }, (_, index) => `https://audience-${index}.example/${"a".repeat(100)}`);
    const body = { name: "long", kind: "dynamic", audiences };
    const created = await api.call("POST", "/v1/sources", { body });
    const path = created.headers.get("location") ?? "";
    let plainEtag = created.headers.get("etag");
    const app = createApi(api);
    for (const accepted of ["gzip", "br, gzip;q=0.5", "*"]) {
      const zipped = await request(app, path, { "accept-encoding": accepted });
      expect(zipped.headers.get("content-encoding")).toBe("gzip");
      expect(zipped.headers.get("vary")).toContain("Accept-Encoding");
      const bytes = Buffer.from(await zipped.arrayBuffer());
      expect(zipped.headers.get("content-length")).toBe(String(bytes.length));
      expect(JSON.parse(gunzipSync(bytes).toString())).toEqual((await api.call("GET", path)).body);
      const etag = zipped.headers.get("etag") ?? "";
      expect(etag).toBe(plainEtag?.replace(/"$/, '-gzip"'));
      expect((await request(app, path, { "if-none-match": etag })).status).toBe(304);
      const change = await api.call("PATCH", path, {
        body: { tolerance_seconds: 10 + accepted.length },
        headers: { "if-match": etag },
      });
      expect(change.status).toBe(200);
      plainEtag = change.headers.get("etag");
    }
    for (const accepted of ["identity", "gzip;q=0", "br", ""]) {
      const plain = await request(app, path, { "accept-encoding": accepted });
      expect(plain.headers.get("content-encoding")).toBeNull();
      expect(plain.headers.get("vary")).toContain("Accept-Encoding");
      expect(await plain.json()).toMatchObject({ name: "long" });
    }
  });

  test("does not compress small answers", async ({ api }) => {
    const small = await request(createApi(api), "/v1/nothing", { "accept-encoding": "gzip" });
    expect(small.headers.get("content-encoding")).toBeNull();
    expect(await small.json()).toMatchObject({ code: "not_found" });
  });
});

describe("CORS", () => {
  const ORIGIN = "https://console.example.com";
  const preflight = {
    key: null,
    headers: { origin: ORIGIN, "access-control-request-method": "PUT", "access-control-request-headers": "if-match" },
  };

  test("is off unless it is configured", async ({ api }) => {
    expect((await api.call("OPTIONS", "/v1/targets", preflight)).status).toBe(401);
    const answer = await api.call("GET", "/v1/targets", { headers: { origin: ORIGIN } });
    for (const [name] of answer.headers) expect(name).not.toMatch(/^access-control-/);
  });

  test("admits pages of exactly the configured origins", async ({ api }) => {
    const open = await createTestApi(api.db, { corsOrigins: [ORIGIN, "http://localhost:5173"] });
    const allowed = await open.call("OPTIONS", "/v1/targets", preflight);
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    expect(allowed.headers.get("access-control-allow-methods")?.split(",")).toEqual([
      "GET",
      "HEAD",
      "POST",
      "PUT",
      "PATCH",
      "DELETE",
    ]);
    expect(allowed.headers.get("access-control-allow-headers")?.split(",")).toContain("if-match");
    expect(allowed.headers.get("access-control-allow-credentials")).toBeNull();
    expect(allowed.headers.get("vary")).toContain("Origin");
    // A refusal needs the headers too. Without them, a page could not read its status.
    for (const key of [ADMIN_KEY, null]) {
      const answer = await open.call("GET", "/v1/targets", { key, headers: { origin: ORIGIN } });
      expect(answer.status).toBe(key === null ? 401 : 200);
      expect(answer.headers.get("access-control-allow-origin")).toBe(ORIGIN);
      expect(answer.headers.get("access-control-expose-headers")).toContain("x-request-id");
      expect(answer.headers.get("vary")).toContain("Origin");
    }
    for (const origin of [`${ORIGIN}.evil.example`, "https://evil.example", "http://console.example.com", "null"]) {
      const headers = { ...preflight.headers, origin };
      for (const answer of [
        await open.call("OPTIONS", "/v1/targets", { key: null, headers }),
        await open.call("GET", "/v1/targets", { headers: { origin } }),
      ]) {
        expect(answer.headers.get("access-control-allow-origin")).toBeNull();
        expect(answer.headers.get("vary")).toContain("Origin");
      }
    }
    // An OPTIONS request that is no preflight is answered as if CORS were off.
    const options = await open.call("OPTIONS", "/v1/targets", { headers: { origin: ORIGIN } });
    expect(options.headers.get("allow")).toBe("GET, HEAD, POST, OPTIONS");
  });
});
