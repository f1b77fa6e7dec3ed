// The public port: `POST /in/{source}` and liveness, nothing else. Limit, source, verification, durability, and
// only then a 2xx.

import type { HttpBindings } from "@hono/node-server";
import { SluiceError } from "@sluice/shared/errors";
import { formatId, newId } from "@sluice/shared/ids";
import type { Logger } from "@sluice/shared/log";
import type { QueuedEvent } from "@sluice/shared/queue/jobs";
import { validKeys } from "@sluice/shared/store/secrets";
import type { Source } from "@sluice/shared/store/sources";
import { verify } from "@sluice/shared/signature/verify";
import { type Context, Hono } from "hono";

import { problem } from "../problem.ts";
import { announcesTooMuch, readBody } from "./read-body.ts";

type IngressContext = Context<{ Bindings: HttpBindings }>;

export interface IngressDependencies {
  findSource: (name: string) => Source | undefined;
  /** Resolves when the event is durable. @throws SluiceError `unavailable` */
  makeDurable: (event: QueuedEvent) => Promise<void>;
  maxBodyBytes: number;
  log: Logger;
}

interface Outcome {
  status: number;
  source?: string;
  webhook_id?: string;
  event?: string;
  reason?: string;
  bytes?: number;
}

export function createIngress(dependencies: IngressDependencies): Hono<{ Bindings: HttpBindings }> {
  const { log } = dependencies;
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.post("/in/:source", async (c) => {
    const startedAt = performance.now();
    const outcome: Outcome = { status: 200, source: c.req.param("source") };
    try {
      return await receive(c, dependencies, outcome);
    } catch (error) {
      const known =
        error instanceof SluiceError ? error : new SluiceError("internal", "The relay failed", { cause: error });
      outcome.status = known.status;
      outcome.reason ??= known.code;
      if (known.status >= 500) log.error({ err: error }, "ingress failed");
      return problem(c, known, outcome.reason === known.code ? {} : { reason: outcome.reason });
    } finally {
      log.info({ ...outcome, duration_ms: Math.round((performance.now() - startedAt) * 100) / 100 }, "ingress");
    }
  });
  app.all("/in/:source", (c) => {
    c.header("allow", "POST");
    return problem(c, new SluiceError("method_not_allowed", "Webhooks are sent with POST"));
  });
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.notFound((c) => problem(c, new SluiceError("not_found", "This port serves POST /in/{source} and GET /healthz")));
  app.onError((error, c) => {
    log.error({ err: error }, "ingress failed");
    return problem(c, new SluiceError("internal", "The relay failed"));
  });
  return app;
}

async function receive(c: IngressContext, dependencies: IngressDependencies, outcome: Outcome): Promise<Response> {
  const { maxBodyBytes } = dependencies;
  const tooLarge = () => {
    // The rest of the body is not worth reading; the connection goes with it.
    c.header("connection", "close");
    return new SluiceError("payload_too_large", `The body is above the limit of ${maxBodyBytes} bytes`);
  };
  if (announcesTooMuch(c.req.header("content-length"), maxBodyBytes)) throw tooLarge();

  const source = dependencies.findSource(c.req.param("source") ?? "");
  if (source === undefined) throw new SluiceError("unknown_source", "There is no source at this path");

  const read = await readBody(c.env.incoming, maxBodyBytes);
  if (read.kind === "too_large") throw tooLarge();
  if (read.kind === "interrupted") throw new SluiceError("body_interrupted", "The body ended before it was complete");
  const { body } = read;
  outcome.bytes = body.length;

  const nowMs = Date.now();
  const webhookId = c.req.header("webhook-id");
  if (webhookId !== undefined) outcome.webhook_id = webhookId.slice(0, 256);
  const verdict = verify(
    { webhookId, timestamp: c.req.header("webhook-timestamp"), signature: c.req.header("webhook-signature"), body },
    {
      schemes: source.schemes,
      toleranceSeconds: source.toleranceSeconds,
      hmacKeys: validKeys(source.hmacKeys, nowMs),
    },
    nowMs,
  );
  if (!verdict.accepted) {
    outcome.reason = verdict.reason;
    throw new SluiceError("verification_failed", verdict.detail);
  }

  const id = newId();
  outcome.event = formatId("evt", id);
  await dependencies.makeDurable({
    id,
    sourceId: source.id,
    webhookId: verdict.webhookId,
    scheme: verdict.scheme,
    receivedAtMs: nowMs,
    contentType: c.req.header("content-type") ?? null,
    body: body.toString("base64"),
  });
  return c.json({ status: "received", webhook_id: verdict.webhookId });
}
