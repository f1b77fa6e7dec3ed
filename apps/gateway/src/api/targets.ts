// /v1/targets: internal services and what they subscribed to.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { AddressGuard } from "@sluice/shared/address/guard";
import { SluiceError } from "@sluice/shared/errors";
import { parseId } from "@sluice/shared/ids";
import type { MasterKey } from "@sluice/shared/master-key";
import { generateSigningSecret } from "@sluice/shared/signature/secret";
import type { Connection, Database } from "@sluice/shared/store/database";
import * as store from "@sluice/shared/store/targets";

import { problemResponse } from "./answer-problem.ts";
import { makeChange } from "./change.ts";
import { cursorOf } from "./cursor.ts";
import { requireMatch, withEtag } from "./etag.ts";
import { invalidRequest } from "./invalid-request.ts";
import { listOf, pageParameters, toPage } from "./list.ts";
import { idParameter, jsonAnswer, jsonBody, noParameters } from "./operation.ts";
import type { ApiEnv } from "./request-log.ts";
import {
  applyChange,
  createdTarget,
  newTarget,
  showTarget,
  targetChange,
  targetSchema,
  toSettings,
} from "./target-schema.ts";
import { wake, type WakeDependencies } from "./wake.ts";

export interface TargetsDependencies extends WakeDependencies {
  db: Database;
  masterKey: MasterKey;
  addressGuard: AddressGuard;
}

const tags = ["targets"];
const params = idParameter("tgt_01h455vb4pex5vsknk084sn02q");
const operations = {
  list: createRoute({
    method: "get",
    path: "/v1/targets",
    tags,
    summary: "Targets, newest first",
    request: { query: z.strictObject(pageParameters) },
    responses: { 200: jsonAnswer("A page", listOf(targetSchema)), default: problemResponse },
  }),
  create: createRoute({
    method: "post",
    path: "/v1/targets",
    tags,
    summary: "Create a target; it gets the events that come from now on",
    request: { query: noParameters, body: jsonBody(newTarget) },
    responses: { 201: jsonAnswer("The target", createdTarget), default: problemResponse },
  }),
  read: createRoute({
    method: "get",
    path: "/v1/targets/{id}",
    tags,
    summary: "Read a target",
    request: { params, query: noParameters },
    responses: { 200: jsonAnswer("The target", targetSchema), default: problemResponse },
  }),
  update: createRoute({
    method: "patch",
    path: "/v1/targets/{id}",
    tags,
    summary: "Change the given fields; `headers` are replaced as a whole",
    request: { params, query: noParameters, body: jsonBody(targetChange) },
    responses: { 200: jsonAnswer("The target", targetSchema), default: problemResponse },
  }),
  delete: createRoute({
    method: "delete",
    path: "/v1/targets/{id}",
    tags,
    summary: "Delete a target and cancel what it still has to get; its log stays",
    request: { params, query: noParameters },
    responses: { 204: { description: "It is deleted" }, default: problemResponse },
  }),
};

export function routeTargets(app: OpenAPIHono<ApiEnv>, dependencies: TargetsDependencies): void {
  const { db, masterKey } = dependencies;
  const find = async (on: Connection, id: string) => showTarget(exists(await store.getTarget(on, masterKey, id)));
  const lock = async (tx: Connection, id: string) =>
    showTarget(exists(await store.getTargetForChange(tx, masterKey, id)));

  app.openapi(operations.list, async (c) => {
    const { limit, cursor: text } = c.req.valid("query");
    const cursor = cursorOf("targets");
    const beforeId = text === undefined ? undefined : cursor.read(text);
    const page = toPage(await store.listTargets(db, masterKey, { beforeId, limit: limit + 1 }), limit, cursor);
    return c.json({ data: page.rows.map(showTarget), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(operations.create, async (c) => {
    const given = c.req.valid("json");
    refuseAddress(dependencies.addressGuard, given.uri);
    const secret = generateSigningSecret();
    const settings = toSettings(given);
    const target = await makeChange(c, db, async (tx, record) => {
      const after = await find(tx, await store.createTarget(tx, masterKey, settings, secret));
      await record({ action: "target.created", resourceId: after.id, after });
      return after;
    });
    c.header("location", `/v1/targets/${target.id}`);
    return c.json({ ...withEtag(c, target), new_signing_secret: secret.text }, 201);
  });

  app.openapi(operations.read, async (c) =>
    c.json(withEtag(c, await find(db, readTargetId(c.req.valid("param").id))), 200),
  );

  app.openapi(operations.update, async (c) => {
    const id = readTargetId(c.req.valid("param").id);
    const change = c.req.valid("json");
    if (change.uri !== undefined) refuseAddress(dependencies.addressGuard, change.uri);
    const target = await makeChange(c, db, async (tx, record) => {
      const before = await lock(tx, id);
      requireMatch(c, before);
      await store.updateTarget(tx, masterKey, id, (current) => applyChange(current, change));
      const after = await find(tx, id);
      await record({ action: "target.updated", resourceId: after.id, before, after });
      return after;
    });
    // Also where it was enabled before: a wake-up too many finds nothing to claim.
    if (change.state === "enabled") wake(dependencies, id);
    return c.json(withEtag(c, target), 200);
  });

  app.openapi(operations.delete, async (c) => {
    const id = readTargetId(c.req.valid("param").id);
    await makeChange(c, db, async (tx, record) => {
      const before = await lock(tx, id);
      requireMatch(c, before);
      await store.deleteTarget(tx, id);
      await record({ action: "target.deleted", resourceId: before.id, before });
    });
    return c.body(null, 204);
  });
}

const readTargetId = (text: string) => parseId("tgt", text, "{id}");

/**
 * For who makes the mistake to see it at once. It is the worker that keeps a target from such an address, whatever DNS
 * says then. @throws SluiceError `invalid_request`
 */
function refuseAddress(guard: AddressGuard, uri: string): void {
  const reason = guard.refuseHost(new URL(uri).hostname);
  if (reason !== undefined)
    throw invalidRequest([{ pointer: "/uri", detail: `is an address that is refused: ${reason}` }]);
}

/** @throws SluiceError `not_found` */
function exists(record: store.TargetRecord | undefined): store.TargetRecord {
  if (record === undefined) throw new SluiceError("not_found", "There is no target with this id");
  return record;
}
