import { expect } from "vitest";

import { lintDocument } from "../../../../../tests/support/api/lint-document.ts";
import { test } from "../../../../../tests/support/api/test-api.ts";
import { createApi } from "../api.ts";
import { createDocument } from "./document.ts";

test("Redocly and Spectral find nothing wrong with the document", async ({ api }) => {
  expect(await lintDocument(JSON.stringify(createDocument(createApi(api))))).toEqual([]);
});

test("both linters see a document that lacks a description", async () => {
  const found = await lintDocument(
    '{"openapi":"3.1.0","info":{"title":"none","version":"1"},"paths":{"/a":{"get":{}}}}',
  );
  expect(found.filter((line) => line.startsWith("redocly"))).not.toEqual([]);
  expect(found.filter((line) => line.startsWith("spectral"))).not.toEqual([]);
});
