// POST /v1/targets/{id}:pause, :resume, :enable and :disable. Pausing and disabling are separate: a disabled target
// refuses `:resume`, so whoever ends a pause never enables a target that was disabled.

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { TargetState } from "@sluice/store/schema";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { withEtag } from "../http/etag.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer, noBody, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { OWN_MANNER, updateTarget } from "./target-change.ts";
import {
  readTargetId,
  targetParams as params,
  type TargetsDependencies,
  targetTags as tags,
} from "./target-endpoint.ts";
import { showTarget, targetSchema } from "./target-schema.ts";

interface StateVerb {
  name: string;
  summary: string;
  description: string;
  to: TargetState;
  /** Whether the verb is refused for a disabled target. */
  refusesDisabled: boolean;
}

const VERBS: StateVerb[] = [
  {
    name: "pause",
    summary: "Pause a target",
    description: "The target still gets deliveries for new events, and the relay holds them all until `:resume`.",
    to: "paused",
    refusesDisabled: true,
  },
  {
    name: "resume",
    summary: "Resume a paused target",
    description: "The held deliveries of the target become due. A disabled target is not resumed: see `:enable`.",
    to: "enabled",
    refusesDisabled: true,
  },
  {
    name: "enable",
    summary: "Enable a target",
    description: "Also a target that was disabled for failed deliveries. Its held deliveries become due.",
    to: "enabled",
    refusesDisabled: false,
  },
  {
    name: "disable",
    summary: "Disable a target",
    description: "The relay holds the pending deliveries of the target, and makes none for new events.",
    to: "disabled",
    refusesDisabled: false,
  },
];

export function routeTargetState(app: OpenAPIHono<ApiEnv>, dependencies: TargetsDependencies): void {
  for (const verb of VERBS) {
    const { name, summary, description, refusesDisabled } = verb;
    const endpoint = createRoute({
      method: "post",
      path: `/v1/targets/{id}:${name}`,
      tags,
      summary,
      description,
      request: { params, query: noParameters, body: noBody },
      responses: {
        200: jsonAnswer("The target", targetSchema, "ETag"),
        ...problems("precondition_failed"),
        ...(refusesDisabled && problems("target_disabled")),
        default: problemResponse,
      },
    });
    app.openapi(verbEndpoint(app, endpoint), async (c) => {
      const id = readTargetId(c.req.valid("param").id);
      const changed = await updateTarget(c, dependencies, id, ({ state }) => ({ state: nextState(verb, state) }), {
        ...OWN_MANNER,
        isForManaged: true,
      });
      return c.json(withEtag(c, showTarget(changed)), 200);
    });
  }
}

/** @throws SluiceError `target_disabled` */
function nextState({ to, refusesDisabled }: StateVerb, current: TargetState): TargetState {
  const isDisabled = current !== "enabled" && current !== "paused";
  if (!refusesDisabled || !isDisabled) return to;
  throw new SluiceError("target_disabled", `The target is ${current}; enable it with POST …:enable`);
}
