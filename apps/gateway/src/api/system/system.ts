// /v1/system: how this gateway and the relay around it are, for people: its state, its settings without secrets, and its latest
// warnings and errors.

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";

import type { RecentLog } from "@sluice/shared/runtime/recent-log";
import type { DescribedSetting } from "@sluice/shared/settings/describe-settings";

import { problemResponse } from "../http/answer-problem.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { needsAdmin } from "../access/authentication.ts";
import { jsonAnswer, noParameters } from "../openapi/endpoint.ts";
import { readSystem, type SystemReaders } from "./read-system.ts";
import { logSchema, settingsSchema, type ShownSystem, systemSchema } from "./system-schema.ts";

export interface SystemDependencies {
  system: SystemReaders;
  /** The settings of this gateway. */
  settings: readonly DescribedSetting[];
  recentLog: RecentLog;
}

const tags = ["system"];
const request = { query: noParameters };
const endpoints = {
  read: createRoute({
    method: "get",
    path: "/v1/system",
    tags,
    summary: "Show how the relay is",
    description:
      "The answer is of the gateway that answers, and has what it knows of its stores, the workers and the targets. It comes " +
      "within some three seconds, also while a store is away: what is not known then is null.",
    request,
    responses: { 200: jsonAnswer("The state of the relay", systemSchema), default: problemResponse },
  }),
  settings: createRoute({
    method: "get",
    path: "/v1/system/settings",
    tags,
    summary: "List the settings of this gateway",
    description: "Every setting that a gateway has. Of a secret, the answer says only whether it is set.",
    middleware: needsAdmin,
    request,
    responses: { 200: jsonAnswer("The settings", settingsSchema), default: problemResponse },
  }),
  log: createRoute({
    method: "get",
    path: "/v1/system/log",
    tags,
    summary: "Read the latest warnings and errors of this gateway",
    description:
      "The gateway keeps its latest 200 in memory, as far as `LOG_LEVEL` lets them through; a restart forgets them. They hold no " +
      "body, no secret and no signature.",
    middleware: needsAdmin,
    request,
    responses: { 200: jsonAnswer("The lines", logSchema), default: problemResponse },
  }),
};

export function routeSystem(app: OpenAPIHono<ApiEnv>, { system, settings, recentLog }: SystemDependencies): void {
  app.openapi(endpoints.read, async (c) => c.json((await readSystem(system)) satisfies ShownSystem, 200));

  app.openapi(endpoints.settings, (c) =>
    c.json(
      {
        data: settings.map(({ name, isSecret, isSet, value }) => ({ name, is_secret: isSecret, is_set: isSet, value })),
      },
      200,
    ),
  );

  app.openapi(endpoints.log, (c) => c.json({ data: recentLog.read() }, 200));
}
