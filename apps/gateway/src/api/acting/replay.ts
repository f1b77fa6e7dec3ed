// POST /v1/events/{id}:replay: sends a stored event again to targets, also to targets that are newer than the event. An
// event keeps one delivery per target: a target that has one gets it retried.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { formatId, parseId } from "@sluice/shared/domain/ids";
import { loadSubscribers } from "@sluice/store/configuration/targets";
import type { Database } from "@sluice/store/connection/database";
import { lacksPartition } from "@sluice/store/connection/partitions";
import { deliveryTo, isSubscribed } from "@sluice/store/delivery/fan-out";
import { chooseTargets, filterInputsOf, type Replayed, replayTo } from "@sluice/store/delivery/replay";
import { keepBodies } from "@sluice/store/delivery/removed-bodies";
import { getEventWithBody } from "@sluice/store/log/records";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { problems } from "../http/problems.ts";
import { bodyRemoved, eventNotFound, eventParams, filterError } from "../log/events.ts";
import { idField, jsonAnswer, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { findNamed, parseTargetIds, targetIds } from "./replay-request.ts";
import { wake, type WakeDependencies } from "./wake.ts";

export interface ReplayDependencies extends WakeDependencies {
  db: Database;
}

const MAX_TARGETS = 1_000;

const replay = z
  .strictObject({
    targets: targetIds(MAX_TARGETS)
      .optional()
      .openapi({
        description:
          "Send the event to these targets. When not given, it is sent to all targets whose subscription and filter " +
          "match it now.",
      }),
    match_subscription: z
      .boolean()
      .optional()
      .openapi({
        description:
          "Whether only targets whose subscription and filter match the event get it. By default false when `targets` " +
          "names them, whatever they subscribe to. Without `targets` it cannot be false.",
      }),
    again: z
      .boolean()
      .default(true)
      .openapi({
        description:
          "Whether a target that has a delivery of the event gets it once more: the delivery is due again. When false, " +
          "what is there is left.",
      }),
  })
  .refine(({ targets, match_subscription: matches }) => targets !== undefined || matches !== false, {
    path: ["match_subscription"],
    error: "must not be false without targets: every target would get the event",
  })
  .openapi("Replay", { example: {} });

const replayed = z
  .object({
    event: idField("evt"),
    deliveries: z.array(
      z
        .object({
          target: idField("tgt"),
          delivery: idField("dlv"),
          result: z.enum(["created", "retried", "skipped", "in_flight"]).openapi("ReplayResult", {
            description:
              "created: the target gets the event for the first time. retried: the target had a delivery of it, which " +
              "is due again with a new deadline. skipped: the target has a delivery of it, and `again` is false. " +
              "in_flight: a worker is attempting the target's delivery now, and that goes on.",
          }),
        })
        .openapi("ReplayedDelivery"),
    ),
    filter_errors: z.array(filterError).openapi({
      description: "The targets whose filter failed on the event. They do not get it.",
      example: [],
    }),
  })
  .openapi("Replayed");

const endpoint = createRoute({
  method: "post",
  path: "/v1/events/{id}:replay",
  tags: ["events"],
  summary: "Send an event again",
  description:
    "An event has one delivery per target. A target that already has one gets it retried, unless `again` is false; any " +
    "other target gets a new one. The delivery to a paused target is held until the target is resumed. A disabled " +
    "target is left out, or refused when `targets` names it (`target_disabled`). An event past its retention is a 404, " +
    "and one whose body was removed a 410 (`body_removed`). " +
    "`POST /v1/events:replay` does the same for many events.",
  request: {
    params: eventParams,
    query: noParameters,
    body: { content: { "application/json": { schema: replay } } },
  },
  responses: {
    200: jsonAnswer("What was done for each target", replayed),
    ...problems("target_disabled", "body_removed"),
    default: problemResponse,
  },
});

export function routeReplay(app: OpenAPIHono<ApiEnv>, dependencies: ReplayDependencies): void {
  const { db } = dependencies;
  app.openapi(verbEndpoint(app, endpoint), async (c) => {
    const id = parseId("evt", c.req.valid("param").id, "{id}");
    const { targets: given, again, match_subscription: wanted } = c.req.valid("json");
    const named = given && parseTargetIds(given);
    const matchSubscription = wanted ?? named === undefined;
    const answer = await makeChange(c, db, async (tx, record) => {
      await keepBodies(tx);
      const event = await getEventWithBody(tx, id);
      if (event === undefined) throw eventNotFound();
      if (event.bodyRemovedAt !== null) throw bodyRemoved();
      // Not locked: a replay waits for no change of a target, and none waits for it. The sweep cancels the delivery to a
      // target that is deleted meanwhile, as it does for intake.
      const subscribers = await loadSubscribers(tx, named);
      const targets = named === undefined ? subscribers.filter(isSubscribed) : findNamed(named, subscribers);
      const input = (await filterInputsOf(tx, [event]))(event);
      const { matched, filterErrors } = chooseTargets(event, input, targets, matchSubscription);
      const deliveries = await replayTo(
        tx,
        matched.map((target) => deliveryTo(target, event)),
        again ? "free" : "none",
      );
      const shown = {
        event: formatId("evt", id),
        deliveries: deliveries.map((one) => showReplayed(one, again)),
        filter_errors: filterErrors.map(({ target, error }) => ({ target: formatId("tgt", target), error })),
      };
      await record({ action: "event.replayed", resourceId: shown.event, after: shown });
      return { shown, deliveries };
    }).catch((error: unknown) => {
      // Retention drops the deliveries of a day before the events of that day, so the event may still be there.
      throw lacksPartition(error) ? eventNotFound() : error;
    });
    for (const { targetId, result } of answer.deliveries) if (result !== "left") wake(dependencies, targetId);
    return c.json(answer.shown, 200);
  });
}

const showReplayed = ({ targetId, deliveryId, result }: Replayed, again: boolean) => ({
  target: formatId("tgt", targetId),
  delivery: formatId("dlv", deliveryId),
  result: result === "left" ? (again ? ("in_flight" as const) : ("skipped" as const)) : result,
});
