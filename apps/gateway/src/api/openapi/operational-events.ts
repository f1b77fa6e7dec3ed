// The relay's own events, as the OpenAPI document describes them: what a target gets that names their types in
// `subscribed_events`. The relay makes them elsewhere; a test compares what is sent with these schemas.

import { type OpenAPIHono, z } from "@hono/zod-openapi";

import type { ApiEnv } from "../http/api-env.ts";
import { idField, orNull } from "./endpoint.ts";

const instant = z.string().openapi({ format: "date-time" });
const lastError = {
  last_error: z.string().openapi({ example: "connection: connect ECONNREFUSED 10.0.0.7:3000" }),
  last_status_code: z.int().nullable().openapi({ example: null }),
};
const ofTarget = { id: idField("tgt"), target: z.string().openapi({ description: "Its name", example: "billing" }) };
const relayId = z.literal("relay");

const failedDelivery = z
  .strictObject({
    delivery: idField("dlv"),
    event: idField("evt"),
    event_type: z.string().nullable().openapi({ example: "batch.succeeded" }),
    last_error: z.string().nullable(),
    last_status_code: z.int().nullable(),
  })
  .openapi("ToldDelivery");

const relayProblem = z
  .strictObject({
    app: z.enum(["gateway", "worker"]).openapi("RelayApp"),
    check: z.string().openapi({ description: "The check of `/readyz`", example: "redis" }),
    problem: z.string().openapi({ example: "it does not answer" }),
    processes: z.int().openapi({ description: "How many processes have it", example: 1 }),
    since: instant,
  })
  .openapi("RelayProblem");

const job = {
  id: idField("job"),
  kind: z.string().openapi({ example: "batch" }),
  name: z.string().nullable().openapi({ example: "batches/abc123" }),
  source: idField("src"),
  labels: z.record(z.string(), z.string()),
  ended_at: instant.nullable(),
  state: z.string().nullable().openapi({ example: "running" }),
};

/** The field `data` of each type, and when such an event is made. */
export const OPERATIONAL_EVENTS = {
  "sluice.target.failing": {
    summary: "Every attempt at a target fails",
    data: z.strictObject({ ...ofTarget, failing_since: instant, ...lastError }).openapi("TargetFailing"),
  },
  "sluice.target.disabled": {
    summary: "The relay disabled a target",
    data: z
      .strictObject({
        ...ofTarget,
        state: z.enum(["disabled", "disabled_due_to_failed_deliveries"]).openapi("DisabledState"),
        reason: z.string().openapi({ example: "The target answered 410 Gone" }),
        disabled_at: instant,
        ...lastError,
      })
      .openapi("TargetDisabled"),
  },
  "sluice.target.recovered": {
    summary: "A target that was told as failing or disabled works again",
    data: z
      .strictObject({ ...ofTarget, failing_since: instant.nullable(), recovered_at: instant })
      .openapi("TargetRecovered"),
  },
  "sluice.deliveries.exhausted": {
    summary: "Deliveries to a target were given up",
    data: z
      .strictObject({
        ...ofTarget,
        count: z.int().openapi({ description: "How many since the last such event", example: 12 }),
        since: instant,
        samples: z.array(failedDelivery).openapi({ description: "At most five of them" }),
      })
      .openapi("DeliveriesExhausted"),
  },
  "sluice.event.set_aside": {
    summary: "Events could not be stored and were set aside",
    data: z
      .strictObject({
        id: relayId,
        count: z.int().openapi({ description: "How many are set aside now", example: 1 }),
        samples: z.array(
          z
            .strictObject({ id: z.string().openapi({ example: "redis-42" }), failed_at: instant, error: z.string() })
            .openapi("ToldSetAsideEvent"),
        ),
      })
      .openapi("EventsSetAside"),
  },
  "sluice.source.failing": {
    summary: "Many requests of a source are refused, or none come",
    data: z
      .strictObject({
        id: idField("src"),
        source: z.string().openapi({ description: "Its name", example: "gemini" }),
        refusals: orNull(
          z
            .strictObject({
              count: z.int().openapi({ example: 12 }),
              window_seconds: z.int().openapi({ example: 600 }),
              reasons: z.record(z.string(), z.int()).openapi({ example: { signature_mismatch: 12 } }),
            })
            .openapi("SourceRefusals"),
        ),
        silence: orNull(
          z
            .strictObject({
              expect_every_seconds: z.int().openapi({ example: 3600 }),
              last_event_at: instant.nullable(),
            })
            .openapi("SourceSilence"),
        ),
      })
      .openapi("SourceFailing"),
  },
  "sluice.source.drift": {
    summary: "The webhook of a source at Gemini differs from what was registered, or no longer does",
    data: z
      .strictObject({
        id: idField("src"),
        source: z.string().openapi({ description: "Its name", example: "gemini" }),
        webhook_id: z.string().nullable(),
        state: z.string().nullable().openapi({ example: "disabled" }),
        drift: z.array(
          z
            .strictObject({ code: z.string().openapi({ example: "disabled" }), detail: z.string() })
            .openapi("ToldDrift"),
        ),
      })
      .openapi("SourceDrift"),
  },
  "sluice.relay.degraded": {
    summary: "A part of the relay does not work as it should",
    data: z.strictObject({ id: relayId, problems: z.array(relayProblem) }).openapi("RelayDegraded"),
  },
  "sluice.relay.recovered": {
    summary: "The relay works again as it should",
    data: z.strictObject({ id: relayId, degraded_since: instant.nullable() }).openapi("RelayRecovered"),
  },
  "sluice.secret.expiring": {
    summary: "An API key, a secret or a certificate expires soon",
    data: z
      .strictObject({
        id: z.string().openapi({
          description: "The API key, or the source or the target that has the secret",
          example: "key_01h455vb4pex5vsknk084sn02q",
        }),
        name: z.string().openapi({ description: "The name of that", example: "deploy" }),
        kind: z
          .enum(["api_key", "signing_secret", "ingress_token", "client_certificate", "ca_certificate"])
          .openapi("SecretKind"),
        shown: z
          .string()
          .openapi({ description: "Its end, or the subject of the certificate", example: "sluice_...x7Qd" }),
        expires_at: instant,
      })
      .openapi("SecretExpiring"),
  },
  "sluice.job.overdue": {
    summary: "A job at Gemini runs for longer than expected",
    data: z.strictObject({ ...job, expected_at: instant }).openapi("JobOverdue"),
  },
  "sluice.job.ended": {
    summary: "A job at Gemini has ended in a way that has no event of Gemini",
    data: z.strictObject({ ...job, problem: z.string().optional() }).openapi("JobEnded"),
  },
} as const;

/** Adds the events to the document, as the requests that targets get. */
export function describeOperationalEvents(app: OpenAPIHono<ApiEnv>): void {
  for (const [type, { summary, data }] of Object.entries(OPERATIONAL_EVENTS)) {
    const name = toPascalCase(type.replace(/^sluice/, ""));
    const payload = z
      .object({ type: z.literal(type), version: z.literal("v1"), timestamp: instant, data })
      .openapi(`${name}Event`);
    app.openAPIRegistry.registerWebhook({
      method: "post",
      path: type,
      operationId: `tell${name}`,
      tags: ["operational events"],
      summary,
      description: `A target gets this event if \`${type}\`, or a group that has it, is in its \`subscribed_events\`. \`*\` does not match it.`,
      request: { body: { required: true, content: { "application/json": { schema: payload } } } },
      responses: { "2XX": { description: "The target has the event" } },
    });
  }
}

const toPascalCase = (text: string) => text.replaceAll(/[^a-z]+([a-z])/g, (_, letter: string) => letter.toUpperCase());
