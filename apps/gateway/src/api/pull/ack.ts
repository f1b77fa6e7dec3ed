// POST /v1/targets/{id}:ack and :extend: what became of the deliveries that a target pulled. An attempt that a target reports
// is recorded as those are that a worker makes; only the breaker is left out, because nothing is sent.

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";

import { extendPulled, recordPulled } from "@sluice/store/delivery/pulled";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer, jsonBody, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { targetParams as params } from "../targets/target-endpoint.ts";
import type { PullDependencies, PullTargets } from "./pull-endpoint.ts";
import { ackAnswer, ackRequest, extendAnswer, extendRequest } from "./pull-schema.ts";
import { restOfAttempt } from "./pulled-attempts.ts";
import { readPullToken } from "./pull-token.ts";

const tags = ["pull"];

const ack = createRoute({
  method: "post",
  path: "/v1/targets/{id}:ack",
  tags,
  summary: "Report what became of pulled deliveries",
  description:
    "Each result is recorded as an attempt. A success finishes the delivery, also after its lease has ended. After a failure " +
    "the delivery is due again by the `retry` of the target. The same report again changes nothing: repeat a request whose " +
    "answer you did not get. An `Idempotency-Key` is ignored, and the audit trail gets no entry.",
  request: { params, query: noParameters, body: jsonBody(ackRequest) },
  responses: {
    200: jsonAnswer("One result for each token, in the order of the request", ackAnswer),
    ...problems("wrong_kind"),
    default: problemResponse,
  },
});

const extend = createRoute({
  method: "post",
  path: "/v1/targets/{id}:extend",
  tags,
  summary: "Keep pulled deliveries for longer",
  description: "Sets the ends of the leases anew, also of those that ended while nobody else took the delivery.",
  request: { params, query: noParameters, body: jsonBody(extendRequest) },
  responses: {
    200: jsonAnswer("One result for each token, in the order of the request", extendAnswer),
    ...problems("wrong_kind"),
    default: problemResponse,
  },
});

export function routeAck(app: OpenAPIHono<ApiEnv>, dependencies: PullDependencies, targets: PullTargets): void {
  const { pullDb, pulledAttempts } = dependencies;

  app.openapi(verbEndpoint(app, ack), async (c) => {
    const { results: reports } = c.req.valid("json");
    const target = await targets.find(c.req.valid("param").id);
    const reported = reports.map((report) => ({ ...readPullToken(report.token), report }));
    const recording = pulledAttempts.begin(target);
    const states = await recordPulled(pullDb, target.id, reported, restOfAttempt, recording.make(reported));
    recording.end();
    const results = reports.map(({ token }, index) => {
      const state = states[index];
      if (state === undefined) return { token, code: "not_found" as const, status: null, next_attempt_at: null };
      const { status, nextAttemptAt, isLost } = state;
      const code = isLost ? ("lease_lost" as const) : null;
      return { token, code, status, next_attempt_at: nextAttemptAt?.toISOString() ?? null };
    });
    return c.json({ results }, 200);
  });

  app.openapi(verbEndpoint(app, extend), async (c) => {
    const { tokens, lease_seconds: leaseSeconds } = c.req.valid("json");
    const target = await targets.find(c.req.valid("param").id);
    const ends = await extendPulled(pullDb, target.id, tokens.map(readPullToken), leaseSeconds * 1000);
    const results = tokens.map((token, index) => {
      const end = ends[index];
      const code = end === undefined ? ("lease_lost" as const) : null;
      return { token, code, lease_expires_at: end?.toISOString() ?? null };
    });
    return c.json({ results }, 200);
  });
}
