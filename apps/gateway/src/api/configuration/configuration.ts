// /v1/configuration: reads everything that a file of settings can hold, and applies such a file. `sluice apply` calls it, and a
// gateway with CONFIG_FILE calls it in its own process.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { needsAdmin } from "../access/authentication.ts";
import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { applyConfiguration } from "./apply.ts";
import { applicationSchema, appliedSchema } from "./configuration-schema.ts";
import type { ResourcesDependencies } from "./configured-resources.ts";
import { exportConfiguration } from "./export.ts";

const tags = ["configuration"];
/** Any field of a resource; `ConfiguredSource` and the others say which there are. */
const exported = z.array(z.record(z.string(), z.unknown())).openapi({ example: [] });

const endpoints = {
  read: createRoute({
    method: "get",
    path: "/v1/configuration",
    tags,
    operationId: "exportConfiguration",
    summary: "Export sources, targets and keys as a configuration",
    description:
      "What has its default is left out. A secret is a placeholder such as `${env:SLUICE_TARGET_BILLING_SIGNING_SECRET}`, which " +
      "`sluice apply` and `CONFIG_FILE` replace. Needs a key with the scope `admin`.",
    middleware: needsAdmin,
    request: { query: noParameters },
    responses: {
      200: jsonAnswer(
        "The configuration",
        z.object({ sources: exported, targets: exported, keys: exported }).openapi("ExportedConfiguration"),
      ),
      default: problemResponse,
    },
  }),
  apply: createRoute({
    method: "post",
    path: "/v1/configuration:apply",
    tags,
    operationId: "applyConfiguration",
    summary: "Apply a configuration: make, change and remove sources, targets and keys",
    description:
      "Every fault is found before anything is changed. Then each resource is changed in a transaction of its own, and what is " +
      "right already is not touched. What is applied is marked by `managed_by`, and is then changed there, or with the header " +
      "`Sluice-Force: true`. Placeholders for secrets are replaced by the caller: this endpoint gets the secrets. Needs a key " +
      "with the scope `admin`.",
    request: { query: noParameters, body: jsonBody(applicationSchema) },
    responses: {
      200: jsonAnswer("What was changed, or would be", appliedSchema),
      ...problems("managed_by_file"),
      default: problemResponse,
    },
  }),
};

export function routeConfiguration(app: OpenAPIHono<ApiEnv>, dependencies: ResourcesDependencies): void {
  app.openapi(endpoints.read, async (c) => c.json(await exportConfiguration(dependencies), 200));

  const route = verbEndpoint(app, endpoints.apply);
  app.openapi({ ...route, middleware: needsAdmin }, async (c) => {
    const { configuration, dry_run: isDryRun, prune } = c.req.valid("json");
    return c.json(await applyConfiguration(c, dependencies, configuration, { isDryRun, prune }), 200);
  });
}
