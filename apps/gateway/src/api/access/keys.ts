// /v1/keys: makes, lists and revokes the API keys. A key is shown once, when it is made. A revoked key stays in the
// list, so that the audit trail can still be read by the names of the keys.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { generateApiKey } from "@sluice/shared/domain/api-key";
import { formatId, parseId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Secret } from "@sluice/shared/settings/secret";
import {
  type ApiKeyRecord,
  getApiKey,
  insertApiKey,
  listApiKeys,
  revokeApiKey,
} from "@sluice/store/configuration/api-keys";
import type { Connection, Database } from "@sluice/store/connection/database";

import { problemResponse } from "../http/answer-problem.ts";
import { type ApiEnv, callerOf } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { takeEmptyBody } from "../http/empty-body.ts";
import { withEtag } from "../http/etag.ts";
import { invalidRequest } from "../http/invalid-request.ts";
import { listOf, nameParameter, pageParameters, readPage, toPage } from "../http/list.ts";
import { refuseManaged } from "../http/managed.ts";
import { plainText } from "../http/plain-text.ts";
import { problems } from "../http/problems.ts";
import { idField, idParameter, jsonAnswer, jsonBody, noBody, noParameters } from "../openapi/endpoint.ts";
import { shownManager } from "../openapi/shown-manager.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { needsAdmin } from "./authentication.ts";
import { givenScopes, readScopes, shownScopes, showScopes } from "./key-scopes.ts";

export interface KeysDependencies {
  db: Database;
  /** The key from `ADMIN_API_KEY`. While it is set, the last stored admin key may be revoked. */
  adminApiKey: Secret<string> | undefined;
}

const time = (description: string) => z.string().nullable().openapi({ format: "date-time", description });

const expiryTime = z.iso
  .datetime({ offset: true, error: "must be a time of RFC 3339 such as 2027-01-22T12:00:00Z" })
  .transform((text) => new Date(text));
const describedExpiry = {
  type: ["string", "null"] as ["string", "null"],
  format: "date-time",
  description: "The time from which the key is refused. Null when the key never expires.",
};
/** The end of a key that a file gives, which does not become wrong when the time comes. */
export const givenExpiry = expiryTime.nullable().default(null).openapi(describedExpiry);

export const newKeySchema = z
  .strictObject({
    name: plainText(200).min(1).openapi({
      description: "Unique among the keys that are not revoked. Upper and lower case differ.",
      example: "billing team",
    }),
    scopes: givenScopes,
    expires_at: expiryTime
      .refine((at) => at.getTime() > Date.now(), "must be in the future")
      .nullable()
      .default(null)
      .openapi(describedExpiry),
  })
  .openapi("NewKey");

const keySchema = z
  .object({
    id: idField("key"),
    name: z.string(),
    scopes: shownScopes,
    truncated_key: z.string().openapi({ example: "sluice_...mNoP" }),
    state: z.enum(["active", "expired", "revoked"]).openapi("KeyState"),
    expires_at: time("Null when the key never expires"),
    revoked_at: time("Null while the key is not revoked"),
    last_used_at: time("The last use, to the minute. Null when the key was never used."),
    managed_by: shownManager,
    created_at: z.string().openapi({ format: "date-time" }),
  })
  .openapi("Key");

/** The key of the request itself. `ADMIN_API_KEY` has no row, so it has no id. */
const ownKeySchema = keySchema
  .pick({ name: true, scopes: true, expires_at: true })
  .extend({
    id: idField("key")
      .nullable()
      .openapi({ description: "Null for `ADMIN_API_KEY`, and for a person whom a proxy signed in to the console" }),
  })
  .openapi("OwnKey");

const createdKey = keySchema
  .extend({
    key: z.string().openapi({
      description: "The key itself. Only this answer shows it.",
      example: "sluice_the-43-characters-that-are-shown-only-here",
    }),
  })
  .openapi("CreatedKey");

const tags = ["keys"];
const params = idParameter("key", "the API key");
const middleware = needsAdmin;
const endpoints = {
  list: createRoute({
    method: "get",
    path: "/v1/keys",
    tags,
    summary: "List the API keys, newest first",
    description: "Expired and revoked keys stay in the list, because the audit trail names them.",
    middleware,
    request: { query: z.strictObject({ ...pageParameters, ...nameParameter }) },
    responses: { 200: jsonAnswer("A page", listOf(keySchema, "KeyPage")), default: problemResponse },
  }),
  create: createRoute({
    method: "post",
    path: "/v1/keys",
    tags,
    summary: "Make an API key",
    description:
      "A key that expires can only make keys that expire no later than itself. Whoever deletes a target revokes the keys that " +
      "are for it alone.",
    middleware,
    request: { query: noParameters, body: jsonBody(newKeySchema) },
    responses: {
      201: jsonAnswer("The new key", createdKey, "ETag", "Location"),
      ...problems("name_taken"),
      default: problemResponse,
    },
  }),
  readOwn: createRoute({
    method: "get",
    path: "/v1/keys/self",
    tags,
    summary: "Read the API key of this request",
    description: "Every key may ask, whatever its scopes are.",
    request: { query: noParameters },
    responses: { 200: jsonAnswer("The key", ownKeySchema), default: problemResponse },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/keys/{id}",
    tags,
    summary: "Read an API key",
    description: "The key itself is never shown again: the answer has its beginning and its end.",
    middleware,
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The key", keySchema, "ETag"), default: problemResponse },
  }),
  revoke: createRoute({
    method: "post",
    path: "/v1/keys/{id}:revoke",
    tags,
    summary: "Revoke an API key at once and for good",
    description:
      "Revoking a key again changes nothing. The last key with the scope `admin` is not revoked (`last_admin_key`) " +
      "unless `ADMIN_API_KEY` is set.",
    request: { params, query: noParameters, body: noBody },
    responses: {
      200: jsonAnswer("The key", keySchema, "ETag"),
      ...problems("last_admin_key", "managed_by_file"),
      default: problemResponse,
    },
  }),
};

export function routeKeys(app: OpenAPIHono<ApiEnv>, { db, adminApiKey }: KeysDependencies): void {
  app.openapi(endpoints.list, async (c) => {
    const { name, ...query } = c.req.valid("query");
    const { page: wanted, cursor } = readPage("keys", query, { name });
    const page = toPage(await listApiKeys(db, wanted, name), query.limit, cursor);
    return c.json({ data: page.rows.map(showKey), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(endpoints.create, async (c) => {
    const { name, scopes, expires_at: expiresAt } = c.req.valid("json");
    refuseLongerLife(callerOf(c).expiresAt, expiresAt);
    const key = generateApiKey();
    const created = await makeChange(c, db, async (tx, record) => {
      const settings = { name, ...(await readScopes(tx, scopes)), expiresAt };
      const shown = showKey(await findKey(tx, await insertApiKey(tx, key, settings)));
      await record({ action: "key.created", resourceId: shown.id, after: shown });
      return shown;
    });
    c.header("location", `/v1/keys/${created.id}`);
    return c.json({ ...withEtag(c, created), key }, 201);
  });

  app.openapi(endpoints.readOwn, async (c) => {
    const { keyId, name, scopes, expiresAt } = callerOf(c);
    const id = keyId === null ? null : formatId("key", keyId);
    return c.json({ id, name, scopes, expires_at: expiresAt?.toISOString() ?? null }, 200);
  });

  app.openapi(endpoints.read, async (c) =>
    c.json(withEtag(c, showKey(await findKey(db, readKeyId(c.req.valid("param").id)))), 200),
  );

  app.openapi(
    { ...verbEndpoint(app, endpoints.revoke), middleware: [needsAdmin, takeEmptyBody] as const },
    async (c) => {
      const id = readKeyId(c.req.valid("param").id);
      const revoked = await makeChange(c, db, async (tx, record) => {
        const current = await findKey(tx, id);
        refuseManaged(c, "API key", current);
        const before = showKey(current);
        const isRevoked = await revokeApiKey(tx, id, adminApiKey !== undefined);
        const after = showKey(await findKey(tx, id));
        if (isRevoked) await record({ action: "key.revoked", resourceId: after.id, before, after });
        return after;
      });
      return c.json(withEtag(c, revoked), 200);
    },
  );
}

const readKeyId = (text: string) => parseId("key", text, "{id}");

/** @throws SluiceError `not_found` */
async function findKey(db: Connection, id: string): Promise<ApiKeyRecord> {
  const record = await getApiKey(db, id);
  if (record === undefined) throw new SluiceError("not_found", "There is no API key with this id");
  return record;
}

/**
 * Without this check, the holder of a key that expires could make one that does not. The scopes need no such check:
 * only an admin key gets here, and it has every scope.
 * @throws SluiceError `invalid_request`
 */
export function refuseLongerLife(ownEnd: Date | null, end: Date | null): void {
  if (ownEnd === null || (end !== null && end <= ownEnd)) return;
  const detail = `must be at most ${ownEnd.toISOString()}, when the key of this request expires`;
  throw invalidRequest([{ pointer: "/expires_at", detail }]);
}

export function showKey(record: ApiKeyRecord): z.infer<typeof keySchema> {
  const { expiresAt, revokedAt } = record;
  const isExpired = expiresAt !== null && expiresAt.getTime() <= Date.now();
  return {
    id: formatId("key", record.id),
    name: record.name,
    scopes: showScopes(record),
    truncated_key: record.truncated,
    state: revokedAt !== null ? "revoked" : isExpired ? "expired" : "active",
    expires_at: expiresAt?.toISOString() ?? null,
    revoked_at: revokedAt?.toISOString() ?? null,
    last_used_at: record.lastUsedAt?.toISOString() ?? null,
    managed_by: record.managedBy,
    created_at: record.createdAt.toISOString(),
  };
}
