// The reference of the API at /docs: Swagger UI, which shows /openapi.json. The page works without the Internet, because
// this gateway serves all of its files. Its content security policy forbids anything from elsewhere.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { Hono } from "hono";

import type { ApiEnv } from "../http/api-env.ts";

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/reference.js"></script>
</body>
</html>
`;

/** `persistAuthorization: false` keeps the entered API key in memory only: the key has all the rights of its owner. */
const SCRIPT = `SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false,
  validatorUrl: null,
});
`;

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // Swagger UI sets inline styles, and its pictures are data: URLs.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The files are read for each request, so that a gateway does not keep 2 MB in memory that it rarely needs. */
const ASSETS = [
  { name: "swagger-ui.css", type: "text/css", url: import.meta.resolve("swagger-ui-dist/swagger-ui.css") },
  {
    name: "swagger-ui-bundle.js",
    type: "text/javascript",
    url: import.meta.resolve("swagger-ui-dist/swagger-ui-bundle.js"),
  },
];

export function createReference(): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.use(async (c, next) => {
    await next();
    c.header("content-security-policy", POLICY);
    c.header("x-content-type-options", "nosniff");
    c.header("referrer-policy", "no-referrer");
  });
  app.get("/", (c) => c.html(PAGE));
  app.get("/reference.js", (c) => c.body(SCRIPT, 200, { "content-type": "text/javascript; charset=utf-8" }));
  for (const { name, type, url } of ASSETS) {
    app.get(`/${name}`, (c) => {
      // The files change only with a new version of the package, so a browser may keep them for a day.
      c.header("cache-control", "private, max-age=86400");
      return c.body(readFileSync(fileURLToPath(url), "utf8"), 200, { "content-type": `${type}; charset=utf-8` });
    });
  }
  return app;
}
