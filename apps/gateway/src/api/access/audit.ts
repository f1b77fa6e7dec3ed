// /v1/audit: the audit trail, which tells who changed what, when, and by which request. It is read-only here: each
// change writes its entry in its own transaction.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { exampleId, formatId, idPattern, idTime, parseId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Database } from "@sluice/store/connection/database";
import { type AuditEntry, getAuditEntry, listAudit } from "@sluice/store/requests/audit";
import { AUDIT_ACTIONS, AUDITED_TYPES } from "@sluice/store/requests/audit-actions";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { withEtag } from "../http/etag.ts";
import { pageParameters } from "../http/list.ts";
import { orderedListOf, orderParameter, readOrderedPage, toOrderedPage } from "../http/ordered-list.ts";
import { problems } from "../http/problems.ts";
import { timeParameters } from "../log/filter-parameters.ts";
import { idField, idParameter, jsonAnswer, noParameters } from "../openapi/endpoint.ts";
import { needsAdmin } from "./authentication.ts";
import { keyUse } from "./key-use.ts";

export interface AuditDependencies {
  db: Database;
}

/** The `actor` filter for the key from `ADMIN_API_KEY`, which has no id. */
const ENVIRONMENT = "environment";

const action = z
  .string()
  .regex(
    /^[a-z_]{1,64}\.(\*|[a-z_]{1,64})$/,
    'must be an action such as "target.updated", or a group such as "target.*"',
  );
const resource = z
  .string()
  .regex(
    /^(?:[a-z]{2,8}_[0-9a-z]{26}|(?:redis|postgres)-[\w-]{1,64}|relay)$/,
    "must be the id of a resource such as tgt_…, or relay",
  );
const state = z.record(z.string(), z.unknown()).nullable();

const auditEntry = z
  .object({
    id: idField("aud"),
    created_at: z.string().openapi({ format: "date-time" }),
    actor: keyUse,
    action: z
      .enum(AUDIT_ACTIONS)
      .openapi("AuditAction", { description: "What was done to the resource", example: "target.updated" }),
    resource: z
      .object({
        type: z.enum(AUDITED_TYPES).openapi("AuditedType", { example: "target" }),
        id: z.string().openapi({ example: exampleId("tgt") }),
      })
      .openapi("AuditedResource"),
    request_id: z.string().openapi({ description: "`X-Request-Id` of the request that made the change" }),
    remote_address: z.string().nullable(),
    before: state.openapi({
      description:
        "The resource as the API showed it before the change, without secrets. Null when there was no earlier state, as " +
        "for a new resource.",
      example: { state: "enabled" },
    }),
    after: state.openapi({
      description:
        "The resource as the API showed it after the change, without secrets. Null when no state was left, as for a " +
        "deleted resource.",
      example: { state: "paused" },
    }),
  })
  .openapi("AuditEntry");

const tags = ["audit"];
const middleware = needsAdmin;
const endpoints = {
  list: createRoute({
    method: "get",
    path: "/v1/audit",
    tags,
    summary: "List the changes that were made through the API",
    description: "Each change has an entry. Reads have none.",
    middleware,
    request: {
      query: z.strictObject({
        ...pageParameters,
        order: orderParameter,
        ...timeParameters,
        actor: z
          .string()
          .optional()
          .openapi({
            pattern: `${idPattern("key")}|^${ENVIRONMENT}$`,
            description: `The id of an API key, or \`${ENVIRONMENT}\` for the key from \`ADMIN_API_KEY\` and for people whom a proxy signed in`,
            example: ENVIRONMENT,
          }),
        action: action
          .optional()
          .openapi({ description: "An action, or a group of them such as `target.*`", example: "target.*" }),
        resource: resource
          .optional()
          .openapi({ description: "The id of the changed resource", example: exampleId("tgt") }),
      }),
    },
    responses: {
      200: jsonAnswer("A page", orderedListOf(auditEntry, "AuditPage")),
      ...problems("invalid_id"),
      default: problemResponse,
    },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/audit/{id}",
    tags,
    summary: "Read an entry of the audit trail",
    description: "An entry never changes. It is kept as long as the log.",
    middleware,
    request: { params: idParameter("aud", "the entry"), query: noParameters },
    responses: { 200: jsonAnswer("The entry", auditEntry, "ETag"), default: problemResponse },
  }),
};

export function routeAudit(app: OpenAPIHono<ApiEnv>, { db }: AuditDependencies): void {
  app.openapi(endpoints.list, async (c) => {
    const query = c.req.valid("query");
    const filter = { keyId: readActor(query.actor), action: query.action, resourceId: query.resource };
    const { page, cursor } = await readOrderedPage(db, "audit", query, filter);
    const { rows, cursors } = toOrderedPage(await listAudit(db, filter, page), query.limit, cursor);
    return c.json({ data: rows.map(showEntry), ...cursors }, 200);
  });

  app.openapi(endpoints.read, async (c) => {
    const entry = await getAuditEntry(db, parseId("aud", c.req.valid("param").id, "{id}"));
    if (entry === undefined) throw new SluiceError("not_found", "There is no audit entry with this id");
    return c.json(withEtag(c, showEntry(entry)), 200);
  });
}

/**
 * @returns the id of a key, null for the key from `ADMIN_API_KEY`, or undefined when every actor is wanted.
 * @throws SluiceError `invalid_id`
 */
function readActor(given: string | undefined): string | null | undefined {
  if (given === undefined) return undefined;
  return given === ENVIRONMENT ? null : parseId("key", given, "?actor");
}

function showEntry(entry: AuditEntry): z.infer<typeof auditEntry> {
  return {
    id: formatId("aud", entry.id),
    created_at: new Date(idTime(entry.id)).toISOString(),
    actor: { key: entry.keyId === null ? null : formatId("key", entry.keyId), name: entry.keyName },
    action: entry.action,
    resource: { type: entry.resourceType, id: entry.resourceId },
    request_id: entry.requestId,
    remote_address: entry.remoteAddress,
    before: entry.before,
    after: entry.after,
  };
}
