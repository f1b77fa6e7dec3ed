import { Validator } from "@seriousme/openapi-schema-validator";
import { expect } from "vitest";

import { createApi } from "./api.ts";
import { test } from "./test-api.ts";

test("the document is valid OpenAPI 3.1, and needs no key", async ({ api }) => {
  const answer = await createApi(api).request("/openapi.json");
  expect(answer.status).toBe(200);
  const document = (await answer.json()) as { openapi: string };
  expect(document.openapi).toBe("3.1.0");
  expect(await new Validator().validate(document)).toEqual({ valid: true });
});

test("the reference loads nothing but what this port serves, and its policy allows nothing else", async ({ api }) => {
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
