import { Validator } from "@seriousme/openapi-schema-validator";
import addFormats from "ajv-formats";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect } from "vitest";

import { parseId } from "@sluice/shared/domain/ids";
import { Secret } from "@sluice/shared/settings/secret";

import { type DescribedContent, endpointsOf } from "../../../../../tests/support/api/described-endpoints.ts";
import { createTestApi, test } from "../../../../../tests/support/api/test-api.ts";
import { seedTarget } from "../../../../../tests/support/seed.ts";
import { createApi } from "../api.ts";
import { createDocument } from "./document.ts";

test("the document is valid OpenAPI 3.1, and needs no key", async ({ api }) => {
  const answer = await createApi(api).request("/openapi.json");
  expect(answer.status).toBe(200);
  const document = (await answer.json()) as { openapi: string };
  expect(document.openapi).toBe("3.1.0");
  expect(await new Validator().validate(document)).toEqual({ valid: true });
});

test("the reference loads only files that this port serves, and its policy forbids others", async ({ api }) => {
  const app = createApi(api);
  const page = await app.request("/docs");
  expect(page.status).toBe(200);
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  const html = await page.text();
  const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address ?? "");
  expect(loaded.length).toBeGreaterThan(2);
  for (const address of loaded.filter((text) => !text.startsWith("data:"))) {
    expect(address).toMatch(/^\/docs\//);
    const asset = await app.request(address);
    expect(asset.status).toBe(200);
    expect((await asset.text()).length).toBeGreaterThan(50);
  }
});

test("every endpoint has a unique name, a tag, a summary, and parameters that are explained", async ({ api }) => {
  const endpoints = endpointsOf(createDocument(createApi(api)));
  expect(endpoints.length).toBeGreaterThan(50);
  const lacking = endpoints.flatMap(({ method, path, operationId, summary, tags, parameters = [] }) => {
    const named = { operationId, summary, tag: tags?.[0] };
    const missing = Object.entries(named).flatMap(([name, text]) => (text ? [] : [name]));
    const unexplained = parameters.filter((given) =>
      [given, given.schema].every((part) => part?.description === undefined && part?.example === undefined),
    );
    return [...missing, ...unexplained.map(({ name }) => name)].map((name) => `${method} ${path}: ${name}`);
  });
  expect(lacking).toEqual([]);
  expect(new Set(endpoints.map(({ operationId }) => operationId)).size).toBe(endpoints.length);
});

test("no schema extends another by allOf, where a generator would forget which fields take null", async ({ api }) => {
  const schemas = createDocument(createApi(api)).components?.schemas ?? {};
  expect(Object.entries(schemas).flatMap(([name, schema]) => ("allOf" in schema ? [name] : []))).toEqual([]);
  const { properties = {}, required = [] } = schemas["CreatedSource"] as { properties?: object; required?: string[] };
  expect(Object.keys(properties)).toEqual(expect.arrayContaining(["jwks_uri", "new_signing_secret"]));
  expect(required).toContain("jwks_uri");
});

test("every JSON body has an example that is valid under its schema", async ({ api }) => {
  const document = createDocument(createApi(api));
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const wrong = endpointsOf(document).flatMap(({ method, path, requestBody, responses }) => {
    const answered = Object.entries(responses).filter(([status]) => status.startsWith("2"));
    const bodies: [string, DescribedContent][] = [
      ...(requestBody === undefined ? [] : [["body", requestBody] as const]),
      ...answered,
    ].map(([name, body]) => [name, body]);
    return bodies.flatMap(([name, { content }]) => {
      const json = content?.["application/json"];
      if (json === undefined) return [];
      if (json.example === undefined) return [`${method} ${path} ${name}: none`];
      const validate = ajv.compile({ ...json.schema, components: document.components });
      return validate(json.example) ? [] : [`${method} ${path} ${name}: ${ajv.errorsText(validate.errors)}`];
    });
  });
  expect(wrong).toEqual([]);
});

test("the example of every creating endpoint creates something", async ({ api: { db } }) => {
  // The example of a job is one of the source `gemini`, which needs a key.
  const api = await createTestApi(db, { geminiApiKey: new Secret("AIzaSyExampleExampleExampleExample12345") });
  const creating = endpointsOf(createDocument(createApi(api))).filter(
    ({ method, path, requestBody }) => method === "post" && !path.includes("{") && requestBody !== undefined,
  );
  expect(creating.length).toBeGreaterThan(5);
  // A replay names targets, which have to exist.
  const target = parseId("tgt", "tgt_01h455vb4pex5vsknk084sn02q", "");
  const seeded = await seedTarget(db);
  await db.pool.query("DELETE FROM target_secrets WHERE target_id = $1", [seeded]);
  await db.pool.query("UPDATE targets SET id = $1 WHERE id = $2", [target, seeded]);
  for (const { path, requestBody } of creating) {
    const body = requestBody?.content?.["application/json"]?.example;
    expect(await api.call("POST", path, { body }), path).toMatchObject({ status: expect.toBeOneOf([200, 201, 202]) });
  }
});
