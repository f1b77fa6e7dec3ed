// Liveness and readiness on the API port, without a key: they say nothing that is worth hiding.

import { Hono } from "hono";

/** Each check resolves to whether a store answers now. */
export type ReadinessChecks = Record<string, () => Promise<boolean>>;

/** @param isStopping makes /readyz fail first, so that a balancer turns away before the port closes. */
export function createHealth(checks: ReadinessChecks, isStopping: () => boolean): Hono {
  const app = new Hono();
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", async (c) => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await check()] as const),
    );
    const ready = !isStopping() && results.every(([, answers]) => answers);
    return c.json({ status: ready ? "ready" : "not_ready", checks: Object.fromEntries(results) }, ready ? 200 : 503);
  });
  return app;
}
