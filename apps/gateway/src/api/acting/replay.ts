// POST /v1/events/{id}:replay: sends a stored event again to targets, also to targets that are newer than the event. An
// event keeps one delivery per target: a target that has one gets it retried.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import { readFilterInput } from "@sluice/filter/input";
import { formatId, parseId } from "@sluice/shared/domain/ids";
import { type Fault, SluiceError } from "@sluice/shared/runtime/errors";
import { getSource } from "@sluice/store/configuration/sources";
import { loadSubscribers, type Subscriber } from "@sluice/store/configuration/targets";
import type { Connection, Database } from "@sluice/store/connection/database";
import { lacksPartition } from "@sluice/store/connection/partitions";
import { type Replayed, replayTo } from "@sluice/store/delivery/by-hand";
import { deliveryTo, fanOut, isSubscribed } from "@sluice/store/delivery/fan-out";
import { OPERATIONAL_SOURCE, OPERATIONAL_SOURCE_ID } from "@sluice/store/delivery/relay-sources";
import { getEventWithBody } from "@sluice/store/log/records";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { invalidRequest } from "../http/invalid-request.ts";
import { problems } from "../http/problems.ts";
import { refuseRepeats } from "../http/repeats.ts";
import { eventNotFound } from "../log/events.ts";
import { idParameter, jsonAnswer, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { wake, type WakeDependencies } from "./wake.ts";

export interface ReplayDependencies extends WakeDependencies {
  db: Database;
}

const MAX_TARGETS = 1_000;

const replay = z
  .strictObject({
    targets: z
      .array(z.string())
      .min(1)
      .max(MAX_TARGETS)
      .superRefine(refuseRepeats)
      .optional()
      .openapi({
        description:
          "Send the event to these targets, whatever they subscribe to. When not given, it is sent to all targets " +
          "whose subscription and filter match it now.",
        example: ["tgt_01h455vb4pex5vsknk084sn02q"],
      }),
  })
  .openapi("Replay");

const filterError = z.object({ target: z.string(), error: z.string() });

const replayed = z
  .object({
    event: z.string().openapi({ example: "evt_01h455vb4pex5vsknk084sn02q" }),
    deliveries: z.array(
      z.object({
        target: z.string().openapi({ example: "tgt_01h455vb4pex5vsknk084sn02q" }),
        delivery: z.string().openapi({ example: "dlv_01h455vb4pex5vsknk084sn02q" }),
        result: z.enum(["created", "retried", "in_flight"]).openapi({
          description:
            "created: the target gets the event for the first time. retried: the target had a delivery of it, which " +
            "is due again with a new deadline. in_flight: a worker is attempting the target's delivery now, and that " +
            "goes on.",
        }),
      }),
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
    "An event has one delivery per target. A target that already has one gets it retried; any other target gets a " +
    "new one. The delivery to a paused target is held until the target is resumed. A disabled target is left out, or " +
    "refused when `targets` names it (`target_disabled`). An event past its retention is a 404.",
  request: {
    params: idParameter("evt_01h455vb4pex5vsknk084sn02q"),
    query: noParameters,
    body: { content: { "application/json": { schema: replay } } },
  },
  responses: {
    200: jsonAnswer("What was done for each target", replayed),
    ...problems("target_disabled"),
    default: problemResponse,
  },
});

export function routeReplay(app: OpenAPIHono<ApiEnv>, dependencies: ReplayDependencies): void {
  const { db } = dependencies;
  app.openapi(verbEndpoint(app, endpoint), async (c) => {
    const id = parseId("evt", c.req.valid("param").id, "{id}");
    const named = c.req.valid("json").targets?.map((text, index) => parseId("tgt", text, `/targets/${index}`));
    const answer = await makeChange(c, db, async (tx, record) => {
      const event = await getEventWithBody(tx, id);
      if (event === undefined) throw eventNotFound();
      // Not locked: a replay waits for no change of a target, and none waits for it. The sweep cancels the delivery to a
      // target that is deleted meanwhile, as it does for intake.
      const subscribers = await loadSubscribers(tx);
      const { matched, filterErrors } =
        named === undefined
          ? fanOut(event, await readInput(tx, event), subscribers.filter(isSubscribed))
          : { matched: findNamed(named, subscribers), filterErrors: [] };
      const deliveries = await replayTo(
        tx,
        matched.map((target) => deliveryTo(target, event)),
      );
      const shown = {
        event: formatId("evt", id),
        deliveries: deliveries.map(showReplayed),
        filter_errors: filterErrors.map(({ target, error }) => ({ target: formatId("tgt", target), error })),
      };
      await record({ action: "event.replayed", resourceId: shown.event, after: shown });
      return { shown, deliveries };
    }).catch((error: unknown) => {
      // Retention drops the deliveries of a day before the events of that day, so the event may still be there.
      throw lacksPartition(error) ? eventNotFound() : error;
    });
    for (const { targetId, result } of answer.deliveries) if (result !== "in_flight") wake(dependencies, targetId);
    return c.json(answer.shown, 200);
  });
}

async function readInput(tx: Connection, event: Parameters<typeof readFilterInput>[0] & { sourceId: string }) {
  const name =
    event.sourceId === OPERATIONAL_SOURCE_ID ? OPERATIONAL_SOURCE : (await getSource(tx, event.sourceId))?.name;
  const input = readFilterInput(event, name);
  return () => input;
}

/** @throws SluiceError `invalid_request` or `target_disabled`, with a fault for each target that it is about */
function findNamed(ids: readonly string[], subscribers: readonly Subscriber[]): Subscriber[] {
  const byId = new Map(subscribers.map((target) => [target.id, target]));
  const unknown = ids.flatMap((id, index) => (byId.has(id) ? [] : [faultAt(index, "is the id of no target")]));
  if (unknown.length > 0) throw invalidRequest(unknown);
  const found = ids.map((id) => byId.get(id)).filter((target) => target !== undefined);
  const disabled = found.flatMap((target, index) => (isSubscribed(target) ? [] : [faultAt(index, "is disabled")]));
  if (disabled.length === 0) return found;
  const names = found.filter((target) => !isSubscribed(target)).map(({ id }) => formatId("tgt", id));
  const message = `These targets are disabled; enable them or leave them out: ${names.join(", ")}`;
  throw new SluiceError("target_disabled", message, { faults: disabled });
}

const faultAt = (index: number, detail: string): Fault => ({ pointer: `/targets/${index}`, detail });

const showReplayed = ({ targetId, deliveryId, result }: Replayed) => ({
  target: formatId("tgt", targetId),
  delivery: formatId("dlv", deliveryId),
  result,
});
