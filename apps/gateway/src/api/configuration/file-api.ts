// The API as a gateway calls it for its own CONFIG_FILE: the same endpoint, without a key and without a port.

import { OpenAPIHono } from "@hono/zod-openapi";

import { newId } from "@sluice/shared/domain/ids";
import { SluiceError, type ErrorCode, type Fault } from "@sluice/shared/runtime/errors";

import { answerProblem } from "../http/answer-problem.ts";
import type { ApiEnv, Caller } from "../http/api-env.ts";
import { getPath } from "../http/custom-verb.ts";
import { refuseInvalid } from "../http/invalid-request.ts";
import { routeConfiguration } from "./configuration.ts";
import type { AppliedConfiguration } from "./configuration-schema.ts";
import type { ResourcesDependencies } from "./configured-resources.ts";

/** As the audit trail names it. */
const CALLER: Caller = { keyId: null, name: "CONFIG_FILE", scopes: ["admin"], targetId: null, expiresAt: null };

/** @returns a function that applies a configuration. It throws what the API would answer. */
export function createFileApi(dependencies: ResourcesDependencies) {
  const app = new OpenAPIHono<ApiEnv>({ getPath, defaultHook: refuseInvalid });
  app.onError(answerProblem);
  app.use(async (c, next) => {
    c.set("caller", CALLER);
    c.set("requestId", newId());
    await next();
  });
  routeConfiguration(app, dependencies);
  return async (configuration: unknown, { prune }: { prune: boolean }): Promise<AppliedConfiguration> => {
    const answer = await app.request("/v1/configuration:apply", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ configuration, prune }),
    });
    const body: unknown = await answer.json();
    if (answer.ok) return body as AppliedConfiguration;
    const { code, detail, errors = [] } = body as { code: ErrorCode; detail: string; errors?: Fault[] };
    throw new SluiceError(code, detail, { faults: errors });
  };
}
