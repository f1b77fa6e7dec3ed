// POST /v1/deliveries:retry and :cancel: retry or cancel all deliveries that match a filter. The request only creates
// an operation; a worker carries it out.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { exampleId } from "@sluice/shared/domain/ids";
import type { Database } from "@sluice/store/connection/database";
import { countMatching } from "@sluice/store/delivery/deliveries-step";
import type { BulkFilter } from "@sluice/store/delivery/operations";
import type { DeliveryStatus } from "@sluice/store/schema";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { problems } from "../http/problems.ts";
import { readDeliveryFilter } from "../log/filter-parameters.ts";
import { jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { bulkFields, filtersOf, requireFilter, statusField } from "./bulk-filter.ts";
import { operationSchema } from "./operation-schema.ts";
import { startOperation } from "./start-operation.ts";

export interface BulkDependencies {
  db: Database;
}

/**
 * The time for counting in a dry run. Counting stops after the page of some thousand rows in which it runs out.
 */
export const COUNT_MS = 2_000;

const retryBody = z
  .strictObject({ ...bulkFields, status: statusField })
  .superRefine(requireFilter)
  .openapi("RetryDeliveries", {
    example: { target: exampleId("tgt"), status: ["exhausted"], dry_run: true },
  });
const cancelBody = z
  .strictObject(bulkFields)
  .superRefine(requireFilter)
  .openapi("CancelDeliveries", { example: { target: exampleId("tgt"), dry_run: true } });

const matching = z
  .object({
    total: z.int().openapi({ example: 120 }),
    by_status: z.object({ pending: z.int(), succeeded: z.int(), exhausted: z.int(), cancelled: z.int() }),
    complete: z.boolean().openapi({
      description:
        `False when counting took longer than ${COUNT_MS / 1_000} seconds and was stopped. There are then at least ` +
        "`total` deliveries that match.",
    }),
  })
  .openapi("MatchingDeliveries");

const responses = {
  200: jsonAnswer("After a dry run: how many deliveries match now", matching),
  202: jsonAnswer("The operation, which begins in about a second", operationSchema, "Location"),
  ...problems("invalid_id"),
  default: problemResponse,
};
const rule =
  "The filters are those of `GET /v1/deliveries`. At least one filter, or `all`, is required. Only deliveries " +
  "created before the request are changed, the oldest first. ";
const endpoints = {
  retry: createRoute({
    method: "post",
    path: "/v1/deliveries:retry",
    tags: ["deliveries"],
    summary: "Retry all deliveries that match",
    description:
      `${rule}Only \`exhausted\` deliveries are retried unless \`status\` names others. The operation goes as fast ` +
      "as the targets take the deliveries. Deliveries to a target that is paused or disabled, or whose circuit " +
      "breaker is open, wait, and do not hold up other targets.",
    request: { query: noParameters, body: jsonBody(retryBody) },
    responses,
  }),
  cancel: createRoute({
    method: "post",
    path: "/v1/deliveries:cancel",
    tags: ["deliveries"],
    summary: "Cancel all deliveries that match",
    description: `${rule}Only \`pending\` deliveries are cancelled. A cancelled delivery gets no more attempts.`,
    request: { query: noParameters, body: jsonBody(cancelBody) },
    responses,
  }),
};

export function routeBulk(app: OpenAPIHono<ApiEnv>, { db }: BulkDependencies): void {
  app.openapi(verbEndpoint(app, endpoints.retry), async (c) => {
    const body = c.req.valid("json");
    const statuses: DeliveryStatus[] = body.status ?? ["exhausted"];
    const filter = { ...(await readFilter(body)), statuses };
    if (body.dry_run) return c.json(await countAll(filter), 200);
    const given = { status: statuses, ...filtersOf(await c.req.json()) };
    return c.json(await startOperation(c, db, { kind: "retry_deliveries", given, filter }), 202);
  });

  app.openapi(verbEndpoint(app, endpoints.cancel), async (c) => {
    const body = c.req.valid("json");
    const filter: BulkFilter = { ...(await readFilter(body)), statuses: ["pending"] };
    if (body.dry_run) return c.json(await countAll(filter), 200);
    const given = filtersOf(await c.req.json());
    return c.json(await startOperation(c, db, { kind: "cancel_deliveries", given, filter }), 202);
  });

  async function readFilter(body: z.infer<typeof cancelBody>): Promise<BulkFilter> {
    return { ...(await readDeliveryFilter(db, body, "/")), sinceMs: body.since, untilMs: body.until };
  }

  async function countAll(filter: BulkFilter) {
    const { total, byStatus, reached } = await countMatching(db, filter, { withinMs: COUNT_MS });
    const none = { pending: 0, succeeded: 0, exhausted: 0, cancelled: 0 };
    return { total, by_status: { ...none, ...byStatus }, complete: reached === undefined };
  }
}
