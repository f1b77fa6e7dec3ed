// The types of the client, and its list of the endpoints, are made from the relay's own document. After a change of the API, write them again:
// `npm test -- api-types -u`.

import openapiTS, { astToString, type OpenAPI3 } from "openapi-typescript";
import { expect } from "vitest";

import { createApi } from "@sluice/gateway/api/api";
import { createDocument } from "@sluice/gateway/api/openapi/document";

import { writeEndpointCatalogue } from "../../../tests/support/api/endpoint-catalogue.ts";
import { test } from "../../../tests/support/api/test-api.ts";

const HEADER = `// Made from the OpenAPI document by \`npm test -- api-types -u\`, and compared with it by api-types.test.ts. Do not edit it.
// Errors are left out, because the client throws each of them as an ApiError. Headers are, because fetch gives them without types.

`;

const ENDPOINTS_HEADER = `// Made from the OpenAPI document by \`npm test -- api-types -u\`, and compared with it by api-types.test.ts. Do not edit it.

import type { ApiEndpoint } from "./api-endpoint.ts";

`;

/** Keeps of each endpoint's answers the bodies of those that succeed: `fetch` gives headers without types. */
function withoutErrors(document: ReturnType<typeof createDocument>): OpenAPI3 {
  const copy = structuredClone(document) as OpenAPI3;
  for (const endpoint of Object.values(copy.paths ?? {}).flatMap((item) => Object.values(item))) {
    const answers = Object.entries((endpoint as { responses: Record<string, object> }).responses);
    endpoint.responses = Object.fromEntries(
      answers
        .filter(([status]) => status.startsWith("2"))
        .map(([status, answer]) => [status, { ...answer, headers: {} }]),
    );
  }
  return copy;
}

test("api-types.ts is what openapi-typescript makes from the document", async ({ api }) => {
  // A field with a default may be left out of a request.
  const nodes = await openapiTS(withoutErrors(createDocument(createApi(api))), { defaultNonNullable: false });
  await expect(HEADER + astToString(nodes)).toMatchFileSnapshot("api-types.ts");
});

test("api-endpoints.ts has the endpoints of the document", async ({ api }) => {
  const endpoints = writeEndpointCatalogue(createDocument(createApi(api)));
  await expect(ENDPOINTS_HEADER + endpoints).toMatchFileSnapshot("api-endpoints.ts");
});
