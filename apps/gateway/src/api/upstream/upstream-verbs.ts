// POST /v1/sources/{id}/upstream:register, :check, :rotate, :heal and :deregister. Each first commits what it is
// about to do with its entry in the audit trail, and then asks Gemini. Whatever ends in between, a worker goes on
// with it.

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { listSourcesWithKey } from "@sluice/store/configuration/gemini-keys";
import { wrongKind } from "@sluice/store/configuration/rotation";
import type { SourceRecord } from "@sluice/store/configuration/sources";
import type { Connection } from "@sluice/store/connection/database";
import type { UpstreamIntent } from "@sluice/store/schema";
import { deregisterUpstream } from "@sluice/store/upstream/upstream-deregister";
import { toHeal, toRegister, toRotate } from "@sluice/store/upstream/upstream-intent";
import { runUpstream } from "@sluice/store/upstream/upstream-run";
import { requireRoomForSecret } from "@sluice/store/upstream/upstream-secrets";
import { keyMissing, type UpstreamDependencies } from "@sluice/store/upstream/upstream-work";
import {
  claimUpstream,
  ensureUpstream,
  type UpstreamClaim,
  upstreamBusy,
  type UpstreamRow,
} from "@sluice/store/upstream/upstreams";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { authorOf, makeChange } from "../http/change.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer, noBody, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { lockSource } from "../sources/find-source.ts";
import { showIngressAddress } from "../sources/ingress-address.ts";
import { readSourceId, sourceParams as params } from "../sources/source-endpoint.ts";
import { asAnswer, findUpstream, type UpstreamApiDependencies, upstreamTags as tags } from "./upstream-endpoint.ts";
import { deregistration, registration, showUpstream, upstreamResult } from "./upstream-schema.ts";

/** A body that may be left out. */
const optionalBody = <T extends typeof registration | typeof deregistration>(schema: T) => ({
  content: { "application/json": { schema } },
});

const geminiProblems = problems("upstream_not_configured", "upstream_busy", "gemini_failed", "gemini_refused");

const register = createRoute({
  method: "post",
  path: "/v1/sources/{id}/upstream:register",
  tags,
  summary: "Register the address of a static source at Gemini",
  description:
    "Finds the webhook by its URI or creates it, gives its signing secret to the source, pings it, and waits up to 20 " +
    "seconds for the event. `steps` says how far it came.",
  request: { params, query: noParameters, body: optionalBody(registration) },
  responses: {
    200: jsonAnswer("The webhook is registered. A warning says what does not work.", upstreamResult),
    ...problems(
      "wrong_kind",
      "limit_reached",
      "upstream_not_configured",
      "upstream_busy",
      "gemini_failed",
      "gemini_refused",
    ),
    default: problemResponse,
  },
});

const deregister = createRoute({
  method: "post",
  path: "/v1/sources/{id}/upstream:deregister",
  tags,
  summary: "Delete the webhook of a source at Gemini",
  description: "The relay forgets the webhook. The signing secrets of the source stay.",
  request: { params, query: noParameters, body: optionalBody(deregistration) },
  responses: { 204: { description: "The webhook is deleted" }, ...geminiProblems, default: problemResponse },
});

interface UpstreamVerb {
  name: "check" | "rotate" | "heal";
  summary: string;
  description: string;
  /** What is about to be done; undefined only looks. */
  begin: (tx: Connection, row: UpstreamRow) => Promise<UpstreamIntent | undefined>;
}

const VERBS: UpstreamVerb[] = [
  {
    name: "check",
    summary: "Look at the webhook of a source at Gemini now",
    description: "A worker looks by itself every few minutes. This also goes on with what was begun and has not ended.",
    begin: async () => undefined,
  },
  {
    name: "rotate",
    summary: "Rotate the signing secret of the webhook at Gemini",
    description: "The source gets the new secret. Gemini signs with both for 24 hours.",
    begin: async (tx, { sourceId }) => {
      await requireRoomForSecret(tx, sourceId);
      return toRotate();
    },
  },
  {
    name: "heal",
    summary: "Enable the webhook at Gemini again",
    description: "The relay then waits for an event to arrive, and looks for the events that it missed.",
    begin: toHeal,
  },
];

export function routeUpstreamVerbs(app: OpenAPIHono<ApiEnv>, dependencies: UpstreamApiDependencies): void {
  const { db, publicUrl } = dependencies;
  const forWork = toUpstreamDependencies(dependencies);

  app.openapi(verbEndpoint(app, register), async (c) => {
    const id = readSourceId(c.req.valid("param").id);
    const { subscribed_events: events = null } = c.req.valid("json");
    const claim = { sourceId: id, holder: newId() };
    await makeChange(c, db, async (tx, record) => {
      const source = await lockSource(tx, id);
      const uri = requireUri(source, publicUrl);
      await requireKey(tx, dependencies, id);
      await requireRoomForSecret(tx, id);
      await ensureUpstream(tx, id, uri);
      await claimUpstream(tx, claim, toRegister(uri, events));
      const after = { uri, subscribed_events: events };
      await record({ action: "source.upstream_register_started", resourceId: formatId("src", id), after });
    });
    return c.json(await finish(c, claim), 200);
  });

  for (const { name, summary, description, begin } of VERBS) {
    const endpoint = createRoute({
      method: "post",
      path: `/v1/sources/{id}/upstream:${name}`,
      tags,
      summary,
      description,
      request: { params, query: noParameters, body: noBody },
      responses: {
        200: jsonAnswer("What was done, and the webhook after it", upstreamResult),
        ...problems(
          ...(name === "rotate" ? (["limit_reached"] as const) : []),
          "upstream_not_configured",
          "upstream_busy",
          "gemini_failed",
          "gemini_refused",
        ),
        default: problemResponse,
      },
    });
    app.openapi(verbEndpoint(app, endpoint), async (c) => {
      const id = readSourceId(c.req.valid("param").id);
      const claim = { sourceId: id, holder: newId() };
      await makeChange(c, db, async (tx, record) => {
        await lockSource(tx, id);
        const row = await requireRegistered(tx, id);
        await requireKey(tx, dependencies, id);
        const intent = await begin(tx, row);
        // What another call began ends first. A worker or `:check` goes on with it.
        if (intent !== undefined && row.intent !== null && row.intent.kind !== intent.kind) throw upstreamBusy();
        await claimUpstream(tx, claim, intent);
        await record({ action: `source.upstream_${name}_started`, resourceId: formatId("src", id) });
      });
      return c.json(await finish(c, claim), 200);
    });
  }

  app.openapi(verbEndpoint(app, deregister), async (c) => {
    const id = readSourceId(c.req.valid("param").id);
    const { keep_webhook: keepWebhook } = c.req.valid("json");
    const claim = { sourceId: id, holder: newId() };
    const row = await makeChange(c, db, async (tx, record) => {
      await lockSource(tx, id);
      const found = await findUpstream(tx, id);
      if (!keepWebhook && found.webhookId !== null) await requireKey(tx, dependencies, id);
      await claimUpstream(tx, claim);
      await record({ action: "source.upstream_deregister_started", resourceId: formatId("src", id) });
      return found;
    });
    await asAnswer(deregisterUpstream(forWork, claim, authorOf(c), { row, keepWebhook }));
    return c.body(null, 204);
  });

  async function finish(c: Context<ApiEnv>, claim: UpstreamClaim) {
    const { steps, warnings } = await asAnswer(runUpstream(forWork, claim, authorOf(c)));
    const upstream = await showUpstream(db, dependencies, await findUpstream(db, claim.sourceId));
    return { steps, warnings, upstream };
  }
}

function toUpstreamDependencies(dependencies: UpstreamApiDependencies): UpstreamDependencies {
  const { sourcesChanged, wakeTarget, log } = dependencies;
  return {
    ...dependencies,
    // Failure policy: open. The change is committed, and every ingress finds it by its revision within seconds.
    sourcesChanged: () => sourcesChanged().catch((error: unknown) => log.warn({ err: error }, "sources not refreshed")),
    // Failure policy: open. The sweep finds the deliveries within seconds.
    wakeTarget: (targetId) =>
      void wakeTarget(targetId).catch((error: unknown) =>
        log.warn({ err: error, target_id: targetId }, "target not woken"),
      ),
  };
}

/** @throws SluiceError `wrong_kind`, `upstream_not_configured` */
function requireUri({ kind, name }: SourceRecord, publicUrl: string | undefined): string {
  if (kind !== "static") throw wrongKind("static");
  const { url } = showIngressAddress(publicUrl, `/in/${name}`);
  if (url !== null) return url;
  throw new SluiceError(
    "upstream_not_configured",
    "Gemini needs the address of the ingress: set PUBLIC_URL, such as https://hooks.example.com, for every gateway",
    { faults: [{ pointer: "PUBLIC_URL", detail: "is not set" }] },
  );
}

/** @throws SluiceError `upstream_not_configured` */
async function requireKey(
  tx: Connection,
  { masterKey, geminiApiKey }: UpstreamApiDependencies,
  sourceId: string,
): Promise<void> {
  if ((await listSourcesWithKey(tx, masterKey, geminiApiKey, sourceId)).length === 0) throw keyMissing();
}

/** @throws SluiceError `not_found` */
async function requireRegistered(tx: Connection, sourceId: string): Promise<UpstreamRow> {
  const row = await findUpstream(tx, sourceId);
  if (row.webhookId !== null || row.intent !== null) return row;
  throw new SluiceError("not_found", "The registration of this source did not succeed: POST …/upstream:register again");
}
