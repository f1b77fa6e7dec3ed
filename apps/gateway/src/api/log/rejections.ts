// /v1/rejections: the requests that the ingress refused, each with its reason. Read-only.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { formatId, parseId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { REFUSAL_REASONS } from "@sluice/signature/refusal";
import type { Database } from "@sluice/store/connection/database";
import type { RejectionFilter } from "@sluice/store/log/log-filter";
import { getRejection, listRejections, type RejectionRecord } from "@sluice/store/log/rejections";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { withEtag } from "../http/etag.ts";
import { pageParameters } from "../http/list.ts";
import { orderedListOf, orderParameter, readOrderedPage, toOrderedPage } from "../http/ordered-list.ts";
import { problems } from "../http/problems.ts";
import { idField, idParameter, jsonAnswer, noParameters } from "../openapi/endpoint.ts";
import { refusalReason } from "../openapi/refusal-reason.ts";
import {
  anyOfParameter,
  errorParameter,
  readSource,
  sourceParameter,
  timeParameters,
  webhookIdParameter,
} from "./filter-parameters.ts";

export interface RejectionsDependencies {
  db: Database;
}

const rejectionSchema = z
  .object({
    id: idField("rej"),
    source: idField("src"),
    reason: refusalReason,
    detail: z.string().openapi({ example: "No signature matches a secret of the source" }),
    webhook_id: z.string().nullable().openapi({ description: "The `webhook-id` that the sender claims" }),
    remote_address: z.string().nullable().openapi({ example: "192.0.2.1" }),
    size_bytes: z.int().nullable().openapi({
      description: "The size of the body, or its announced size when the body was not read",
    }),
    count: z.int().openapi({
      description:
        "The number of refused requests that this rejection stands for. In every ten seconds, the first refused " +
        "requests of a source and reason each have a rejection of their own, and one more rejection stands for all " +
        "that followed.",
    }),
    created_at: z.string().openapi({ format: "date-time" }),
  })
  .openapi("Rejection");

/** The filters of rejections, without the time range. */
export const rejectionParameters = {
  source: sourceParameter,
  webhook_id: webhookIdParameter,
  reason: anyOfParameter(REFUSAL_REASONS, "reasons", "Why the request was refused"),
  remote_address: z.union([z.ipv4(), z.ipv6()], { error: "must be an IP address" }).optional().openapi({
    type: "string",
    pattern: "^[0-9A-Fa-f:.%]+$",
    description: "The IP address of the sender",
    example: "192.0.2.1",
  }),
  error: errorParameter("the detail"),
};

const rejectionQuery = z.strictObject(rejectionParameters);

export async function readRejectionFilter(
  db: Database,
  query: z.infer<typeof rejectionQuery>,
): Promise<RejectionFilter> {
  return {
    sourceId: await readSource(db, query.source),
    reasons: query.reason,
    webhookId: query.webhook_id,
    remoteAddress: query.remote_address,
    errorText: query.error,
  };
}

const list = createRoute({
  method: "get",
  path: "/v1/rejections",
  tags: ["rejections"],
  summary: "List the refused requests that match every filter",
  description:
    "Only requests to known sources are listed. When a source has many of them, the list is a sample: see `count`.",
  request: {
    query: z.strictObject({ ...pageParameters, order: orderParameter, ...timeParameters, ...rejectionParameters }),
  },
  responses: {
    200: jsonAnswer("A page", orderedListOf(rejectionSchema, "RejectionPage")),
    ...problems("invalid_id"),
    default: problemResponse,
  },
});

const read = createRoute({
  method: "get",
  path: "/v1/rejections/{id}",
  tags: ["rejections"],
  summary: "Read a refused request",
  description: "A rejection never changes. It is kept as long as the log.",
  request: { params: idParameter("rej", "the rejection"), query: noParameters },
  responses: { 200: jsonAnswer("The rejection", rejectionSchema, "ETag"), default: problemResponse },
});

export function routeRejections(app: OpenAPIHono<ApiEnv>, { db }: RejectionsDependencies): void {
  app.openapi(list, async (c) => {
    const query = c.req.valid("query");
    const filter = await readRejectionFilter(db, query);
    const { page, cursor } = await readOrderedPage(db, "rejections", query, filter);
    const found = await listRejections(db, filter, page);
    const { rows, cursors } = toOrderedPage(found, query.limit, cursor);
    return c.json({ data: rows.map(showRejection), ...cursors }, 200);
  });

  app.openapi(read, async (c) => {
    const rejection = await getRejection(db, parseId("rej", c.req.valid("param").id, "{id}"));
    if (rejection === undefined) throw new SluiceError("not_found", "There is no rejection with this id");
    return c.json(withEtag(c, showRejection(rejection)), 200);
  });
}

function showRejection(rejection: RejectionRecord): z.infer<typeof rejectionSchema> {
  return {
    id: formatId("rej", rejection.id),
    source: formatId("src", rejection.sourceId),
    reason: rejection.reason,
    detail: rejection.detail,
    webhook_id: rejection.webhookId,
    remote_address: rejection.remoteAddress,
    size_bytes: rejection.sizeBytes,
    count: rejection.weight,
    created_at: rejection.createdAt.toISOString(),
  };
}
