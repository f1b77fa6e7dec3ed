// /v1/stats/rejections: how many requests were refused, by source and reason. The list shows each line of the log, and one line
// may stand for thousands of requests.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { formatId } from "@sluice/shared/domain/ids";
import type { Database } from "@sluice/store/connection/database";
import { countRejections } from "@sluice/store/log/rejections";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { problems } from "../http/problems.ts";
import { idField, jsonAnswer } from "../openapi/endpoint.ts";
import { refusalReason } from "../openapi/refusal-reason.ts";
import { timeParameters } from "./filter-parameters.ts";
import { readRejectionFilter, rejectionParameters } from "./rejections.ts";

/** Counting them takes about 100 ms on a busy machine. A flood of one reason makes as many in seven hours. */
const MAX_ROWS = 50_000;

const rowSchema = z
  .object({
    source: idField("src"),
    reason: refusalReason,
    count: z.int().openapi({ description: "The number of refused requests", example: 40 }),
    newest_at: z.string().openapi({ format: "date-time", description: "When the newest of them was refused" }),
  })
  .openapi("RejectionCount");

const answerSchema = z
  .object({
    data: z.array(rowSchema).openapi({ description: "The most frequent first" }),
    counted_to: z
      .string()
      .nullable()
      .openapi({
        format: "date-time",
        description:
          `Null when all are counted. Otherwise the rejections since this time are counted, the newest ${MAX_ROWS} of the ` +
          "log, and there are more.",
        example: null,
      }),
  })
  .openapi("RejectionStats");

const read = createRoute({
  method: "get",
  path: "/v1/stats/rejections",
  tags: ["stats"],
  summary: "Count the refused requests by source and reason",
  description: `The filters are those of \`/v1/rejections\`. At most the newest ${MAX_ROWS} rejections of the time range are read.`,
  request: { query: z.strictObject({ ...timeParameters, ...rejectionParameters }) },
  responses: { 200: jsonAnswer("The counts", answerSchema), ...problems("invalid_id"), default: problemResponse },
});

export function routeStatsRejections(app: OpenAPIHono<ApiEnv>, { db }: { db: Database }): void {
  app.openapi(read, async (c) => {
    const { since: sinceMs, until: untilMs, ...query } = c.req.valid("query");
    const filter = await readRejectionFilter(db, query);
    const { counts, countedToMs } = await countRejections(db, filter, { sinceMs, untilMs, mostRows: MAX_ROWS });
    const data = counts.map(({ sourceId, reason, count, newestAt }) => ({
      source: formatId("src", sourceId),
      reason,
      count,
      newest_at: newestAt.toISOString(),
    }));
    const countedTo = countedToMs === undefined ? null : new Date(countedToMs).toISOString();
    return c.json({ data, counted_to: countedTo }, 200);
  });
}
