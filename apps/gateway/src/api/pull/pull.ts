// POST /v1/targets/{id}:pull: claims what is due for a target, and waits until something is. The claim is the lease of a
// worker; whatever ends the request before its answer is written gives the deliveries back.

import { createRoute, type OpenAPIHono, type z } from "@hono/zod-openapi";
import type { Context } from "hono";

import { requestHeaders } from "@sluice/attempt/request-headers";
import { formatId, idTime, newId } from "@sluice/shared/domain/ids";
import { openSecret } from "@sluice/store/configuration/secrets";
import { claimDue, type ClaimedDelivery, handBack } from "@sluice/store/delivery/deliveries";
import { countDue } from "@sluice/store/delivery/pulled";

import { problemResponse } from "../http/answer-problem.ts";
import { type ApiEnv, callerOf, holderIdOf } from "../http/api-env.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { findTarget } from "../targets/find-target.ts";
import { targetParams as params } from "../targets/target-endpoint.ts";
import type { PullDependencies, PullTargets } from "./pull-endpoint.ts";
import { pullAnswer, pullRequest } from "./pull-schema.ts";
import { contextFor } from "./pulled-attempts.ts";
import { formatPullToken } from "./pull-token.ts";

/** As much as a target would get at once. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;
/** A change of the target reaches a pull that waits within this time, as it reaches a worker. */
const LOOK_AGAIN_MS = 500;
/** The count of what waits reads no more rows than this. */
const MAX_COUNTED = 1_000;

const endpoint = createRoute({
  method: "post",
  path: "/v1/targets/{id}:pull",
  tags: ["pull"],
  summary: "Take deliveries of a pull target that are due",
  description:
    "Waits for `wait_seconds` if none is due. Nobody else gets these deliveries until their lease ends. Report each by " +
    "`:ack`; one that you do not report is due again when its lease ends. An `Idempotency-Key` is ignored, and the audit " +
    "trail gets no entry.",
  request: { params, query: noParameters, body: { content: { "application/json": { schema: pullRequest } } } },
  responses: {
    200: jsonAnswer("The deliveries; none if the time was over, or the target is not enabled", pullAnswer),
    ...problems("wrong_kind"),
    default: problemResponse,
  },
});

interface Claim {
  pullId: string;
  claimed: ClaimedDelivery[];
  atMs: number;
}

export function routePull(app: OpenAPIHono<ApiEnv>, dependencies: PullDependencies, targets: PullTargets): void {
  const { db, masterKey, pullDb, pullWaits, tracing, log } = dependencies;

  app.openapi(verbEndpoint(app, endpoint), async (c) => {
    const { max, wait_seconds: waitSeconds, lease_seconds: leaseSeconds } = c.req.valid("json");
    const found = await targets.find(c.req.valid("param").id);
    const caller = callerOf(c);
    const holderId = holderIdOf(caller);
    const { signal } = c.req.raw;
    let target = found;
    let lookedAt = performance.now();
    let hasWaited = false;
    const claim = async (): Promise<Claim | undefined> => {
      // The key can be revoked while the pull waits, and the target paused, changed or deleted.
      if (hasWaited && (await caller.isStillValid?.()) === false) return undefined;
      hasWaited = true;
      if (performance.now() - lookedAt >= LOOK_AGAIN_MS) {
        target = await findTarget(db, masterKey, found.id);
        lookedAt = performance.now();
      }
      if (target.state !== "enabled") return undefined;
      const pullId = newId();
      const lease = { workerId: pullId, durationMs: leaseSeconds * 1000 };
      const claimed = await claimDue(pullDb, target.id, max, lease, MAX_BODY_BYTES);
      return claimed.length === 0 ? undefined : { pullId, claimed, atMs: Date.now() };
    };
    const taken = await pullWaits.take({ targetId: found.id, holderId, waitMs: waitSeconds * 1000, signal, claim });
    if (taken === undefined) return c.json({ deliveries: [], waiting: 0, state: target.state }, 200);

    const giveBack = () => {
      // Failure policy: open. Otherwise the leases run out.
      handBack(
        pullDb,
        taken.claimed.map(({ id }) => id),
        taken.pullId,
      )
        .then(() => pullWaits.hint(target.id))
        .catch((error: unknown) => log.warn({ err: error, target: formatId("tgt", target.id) }, "pull not given back"));
    };
    onUnwritten(c, giveBack);
    try {
      const keys = target.secrets.map((row) => openSecret(masterKey, target.id, row));
      const deliveries = taken.claimed.map((delivery) => {
        const trace = contextFor(tracing, delivery);
        const headers = requestHeaders({ headers: {}, hmacKeys: keys }, delivery, trace, idTime(taken.pullId));
        return showPulled(taken, delivery, headers, leaseSeconds);
      });
      const waiting = taken.claimed.length < max && !isFull(taken) ? 0 : await countDue(pullDb, target.id, MAX_COUNTED);
      return c.json({ deliveries, waiting, state: target.state }, 200);
    } catch (error) {
      giveBack();
      throw error;
    }
  });
}

const isFull = ({ claimed }: Claim) => claimed.reduce((sum, { body }) => sum + body.length, 0) >= MAX_BODY_BYTES;

/** Calls back when the connection ends before the whole answer is written. */
function onUnwritten(c: Context<ApiEnv>, callBack: () => void): void {
  const { signal } = c.req.raw;
  const outgoing = c.env?.outgoing;
  if (signal.aborted || outgoing?.destroyed === true) callBack();
  else outgoing?.once("close", () => outgoing.writableFinished || callBack());
}

function showPulled(
  { pullId, atMs }: Claim,
  delivery: ClaimedDelivery,
  headers: Record<string, string | undefined>,
  leaseSeconds: number,
): z.infer<typeof pullAnswer>["deliveries"][number] {
  const given = Object.entries(headers).filter((header): header is [string, string] => header[1] !== undefined);
  return {
    token: formatPullToken({ pullId, deliveryId: delivery.id }),
    delivery_id: formatId("dlv", delivery.id),
    event_id: formatId("evt", delivery.eventId),
    event_type: delivery.eventType,
    attempt: delivery.attemptCount + 1,
    trigger: delivery.trigger,
    headers: Object.fromEntries(given),
    body: delivery.body.toString("base64"),
    deadline_at: new Date(atMs + delivery.deadlineInMs).toISOString(),
    lease_expires_at: new Date(atMs + leaseSeconds * 1000).toISOString(),
  };
}
