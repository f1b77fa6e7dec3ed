// POST /v1/targets/{id}:pause, :resume, :enable, :disable. Pausing and enabling are two pairs, so that who ends a pause
// does not also end what somebody else disabled.

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { TargetState } from "@sluice/store/schema";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { withEtag } from "../http/etag.ts";
import { problems } from "../http/problems.ts";
import { jsonAnswer, noBody, noParameters } from "../openapi/endpoint.ts";
import { verbEndpoint } from "../openapi/verb-endpoint.ts";
import { updateTarget } from "./target-change.ts";
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
  /** Whether it is refused of a target that is disabled. */
  isRefusable?: boolean;
  /** What the target becomes. @throws SluiceError `target_disabled` */
  next: (current: TargetState) => TargetState;
}

const VERBS: StateVerb[] = [
  {
    name: "pause",
    summary: "Hold its deliveries; events still come in for it",
    isRefusable: true,
    next: unlessDisabled("paused"),
  },
  { name: "resume", summary: "End a pause; what was held is due", isRefusable: true, next: unlessDisabled("enabled") },
  {
    name: "enable",
    summary: "Subscribe it again, also after it was disabled for failed deliveries; what was held is due",
    next: () => "enabled",
  },
  {
    name: "disable",
    summary: "End its subscription, and hold what is pending; it never gets what comes meanwhile",
    next: () => "disabled",
  },
];

export function routeTargetState(app: OpenAPIHono<ApiEnv>, dependencies: TargetsDependencies): void {
  for (const { name, summary, isRefusable = false, next } of VERBS) {
    const endpoint = createRoute({
      method: "post",
      path: `/v1/targets/{id}:${name}`,
      tags,
      summary,
      request: { params, query: noParameters, body: noBody },
      responses: {
        200: jsonAnswer("The target", targetSchema),
        ...problems("precondition_failed"),
        ...(isRefusable && problems("target_disabled")),
        default: problemResponse,
      },
    });
    app.openapi(verbEndpoint(app, endpoint), async (c) => {
      const id = readTargetId(c.req.valid("param").id);
      const changed = await updateTarget(c, dependencies, id, ({ state }) => ({ state: next(state) }));
      return c.json(withEtag(c, showTarget(changed)), 200);
    });
  }
}

function unlessDisabled(next: TargetState) {
  return (current: TargetState) => {
    if (current === "enabled" || current === "paused") return next;
    throw new SluiceError("target_disabled", `The target is ${current}; POST …:enable enables it`);
  };
}
