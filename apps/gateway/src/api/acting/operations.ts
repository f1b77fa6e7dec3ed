// /v1/operations: shows the operations, which retry or cancel many deliveries or replay many events, with their
// progress, and stops them. bulk.ts and bulk-replay.ts start them.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { formatId, parseId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Database } from "@sluice/store/connection/database";
import { cancelOperation, getOperation, listOperations } from "@sluice/store/delivery/operations";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { withEtag } from "../http/etag.ts";
import { listOf, pageParameters, readPage, toPage } from "../http/list.ts";
import { problems } from "../http/problems.ts";
import { idParameter, jsonAnswer, noBody, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { operationSchema, showOperation } from "./operation-schema.ts";

export interface OperationsDependencies {
  db: Database;
}

const tags = ["operations"];
const params = idParameter("opr", "the operation");
const endpoints = {
  list: createRoute({
    method: "get",
    path: "/v1/operations",
    tags,
    summary: "List the operations on many deliveries or events, newest first",
    description: "Operations are kept as long as the log.",
    request: {
      query: z.strictObject({
        ...pageParameters,
        state: operationSchema.shape.state
          .optional()
          .openapi({ description: "The state of the operation", example: "running" }),
      }),
    },
    responses: { 200: jsonAnswer("A page", listOf(operationSchema, "OperationPage")), default: problemResponse },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/operations/{id}",
    tags,
    summary: "Read an operation and its progress",
    description: "Read it again every few seconds until `finished_at` is not null.",
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The operation", operationSchema, "ETag"), default: problemResponse },
  }),
  cancel: createRoute({
    method: "post",
    path: "/v1/operations/{id}:cancel",
    tags,
    summary: "Stop an operation",
    description: "What the operation did so far stays done. One that is finished is a 409 (`operation_finished`).",
    request: { params, query: noParameters, body: noBody },
    responses: {
      200: jsonAnswer("The operation, cancelled", operationSchema),
      ...problems("operation_finished"),
      default: problemResponse,
    },
  }),
};

export function routeOperations(app: OpenAPIHono<ApiEnv>, { db }: OperationsDependencies): void {
  app.openapi(endpoints.list, async (c) => {
    const query = c.req.valid("query");
    const filter = { state: query.state };
    const { page: wanted, cursor } = readPage("operations", query, filter);
    const page = toPage(await listOperations(db, filter, wanted), query.limit, cursor);
    return c.json({ data: page.rows.map(showOperation), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(endpoints.read, async (c) => {
    const operation = await getOperation(db, readOperationId(c.req.valid("param").id));
    if (operation === undefined) throw operationNotFound();
    return c.json(withEtag(c, showOperation(operation)), 200);
  });

  app.openapi(verbEndpoint(app, endpoints.cancel), async (c) => {
    const id = readOperationId(c.req.valid("param").id);
    const shown = await makeChange(c, db, async (tx, record) => {
      const result = await cancelOperation(tx, id);
      if (result.kind === "not_found") throw operationNotFound();
      if (result.kind === "finished") throw new SluiceError("operation_finished", "This operation is finished");
      const [before, after] = [showOperation(result.before), showOperation(result.after)];
      await record({ action: "operation.cancelled", resourceId: formatId("opr", id), before, after });
      return after;
    });
    return c.json(shown, 200);
  });
}

const readOperationId = (text: string) => parseId("opr", text, "{id}");

const operationNotFound = () => new SluiceError("not_found", "There is no operation with this id");
