// /v1/rejections: what was refused at the ingress, and why.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { formatId } from "@sluice/shared/ids";
import { REFUSAL_REASONS, type RefusalReason } from "@sluice/shared/signature/refusal";
import type { Database } from "@sluice/shared/store/database";
import { listRejections, type RejectionRecord } from "@sluice/shared/store/rejections";

import { problemResponse } from "./answer-problem.ts";
import { cursorOf } from "./cursor.ts";
import { listOf, pageParameters, toPage } from "./list.ts";
import { eventParameters, readSource, timeParameters } from "./log-filter.ts";
import { jsonAnswer } from "./operation.ts";
import type { ApiEnv } from "./request-log.ts";

export interface RejectionsDependencies {
  db: Database;
}

/** In a fixed order and once each, because a cursor is bound to them. */
const reasonParameter = z
  .union([z.string(), z.array(z.string())])
  .transform((given, context): RefusalReason[] => {
    const names = [given].flat();
    for (const name of new Set(names)) {
      if ((REFUSAL_REASONS as readonly string[]).includes(name)) continue;
      const message = `has ${JSON.stringify(name)}; the reasons are ${REFUSAL_REASONS.join(", ")}`;
      context.addIssue({ code: "custom", message });
    }
    return REFUSAL_REASONS.filter((reason) => names.includes(reason));
  })
  .optional()
  .openapi({
    type: "array",
    items: { type: "string", enum: [...REFUSAL_REASONS] },
    description: "Any of these; repeat the parameter for more than one",
  });

const rejectionSchema = z
  .object({
    id: z.string().openapi({ example: "rej_01h455vb4pex5vsknk084sn02q" }),
    source: z.string().openapi({ example: "src_01h455vb4pex5vsknk084sn02q" }),
    reason: z.string().openapi({ example: "signature_mismatch" }),
    detail: z.string(),
    webhook_id: z.string().nullable().openapi({ description: "As the sender claims" }),
    remote_address: z.string().nullable().openapi({ example: "192.0.2.1" }),
    size_bytes: z.int().nullable().openapi({ description: "Of the body; as announced, where it was not read" }),
    count: z.int().openapi({
      description:
        "How many requests it stands for. In each ten seconds, the first of a source and reason are rejections of " +
        "their own, and one more stands for all that followed it.",
    }),
    created_at: z.string().openapi({ format: "date-time" }),
  })
  .openapi("Rejection");

const list = createRoute({
  method: "get",
  path: "/v1/rejections",
  tags: ["rejections"],
  summary: "Refused requests on known sources, newest first; a sample of them when there were many",
  request: {
    query: z.strictObject({ ...pageParameters, ...timeParameters, ...eventParameters, reason: reasonParameter }),
  },
  responses: { 200: jsonAnswer("A page", listOf(rejectionSchema)), default: problemResponse },
});

export function routeRejections(app: OpenAPIHono<ApiEnv>, { db }: RejectionsDependencies): void {
  app.openapi(list, async (c) => {
    const query = c.req.valid("query");
    const filter = {
      sourceId: await readSource(db, query.source),
      reasons: query.reason,
      webhookId: query.webhook_id,
    };
    const times = { sinceMs: query.since, untilMs: query.until };
    const cursor = cursorOf("rejections", { ...filter, ...times });
    const beforeId = query.cursor === undefined ? undefined : cursor.read(query.cursor);
    const found = await listRejections(db, filter, { ...times, beforeId, limit: query.limit + 1 });
    const page = toPage(found, query.limit, cursor);
    return c.json({ data: page.rows.map(showRejection), next_cursor: page.nextCursor }, 200);
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
