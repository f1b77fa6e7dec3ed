// The OpenAPI document at /openapi.json. It is made from the schemas that validate the requests, so the two cannot
// differ. The document and the reference page that shows it hold no secrets and need no key.

import type { OpenAPIHono } from "@hono/zod-openapi";

import { SLUICE_VERSION } from "@sluice/shared/domain/version";

import type { ApiEnv } from "../http/api-env.ts";
import { ENDPOINT_METHODS } from "./describe-answers.ts";
import { describeEndpoint } from "./describe-endpoint.ts";
import { describeOperationalEvents } from "./operational-events.ts";
import { withPlainSchemas } from "./plain-schemas.ts";
import { RESPONSE_HEADERS } from "./response-headers.ts";
import { TAGS } from "./tags.ts";

type Document = ReturnType<OpenAPIHono<ApiEnv>["getOpenAPI31Document"]>;

const DESCRIPTION = `
Sluice receives the webhooks of the Gemini API, verifies them, and delivers each one to every target that subscribed to it.

- **Errors** are problem documents (RFC 9457). Their \`code\` is stable, and \`errors\` names each wrong field. The paths of
  Gemini's WebhookService, \`/v1/webhooks\` and \`/v1beta\`, answer errors in the form of Google's APIs instead.
- **Lists** have pages of up to \`limit\` entries. To read the next page, send the \`next_cursor\` of this one as \`cursor\`.
- **API keys** have scopes. \`read\` allows every GET. \`write\` also allows changes. \`admin\` also allows managing API keys,
  reading the audit trail and erasing events.
- **Unknown** query parameters and body fields are refused, and the error names them.
`.trim();

export function createDocument(app: OpenAPIHono<ApiEnv>): Document {
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
  app.openAPIRegistry.registerComponent("securitySchemes", "header", {
    type: "apiKey",
    in: "header",
    name: "x-goog-api-key",
  });
  for (const [name, header] of Object.entries(RESPONSE_HEADERS))
    app.openAPIRegistry.registerComponent("headers", name, header);
  describeOperationalEvents(app);
  const document = withPlainSchemas(
    app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: {
        title: "Sluice",
        version: SLUICE_VERSION,
        description: DESCRIPTION,
        // The library knows only the fields of OpenAPI 3.0.
        license: { name: "MIT License", identifier: "MIT" } as { name: string },
      },
      servers: [{ url: "/", description: "The gateway that serves this document" }],
      security: [{ bearer: [] }, { header: [] }],
      tags: TAGS,
    }),
  );
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of ENDPOINT_METHODS) {
      const endpoint = item[method];
      if (endpoint !== undefined) describeEndpoint(endpoint, { path, method }, document.components?.schemas ?? {});
    }
  }
  return document;
}
