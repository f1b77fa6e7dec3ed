// The webhook of a source at Gemini, in requests and answers.

import { z } from "@hono/zod-openapi";

import { REGISTRABLE_EVENTS } from "@sluice/gemini/webhooks";
import { formatId, idTime } from "@sluice/shared/domain/ids";
import type { Secret } from "@sluice/shared/settings/secret";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import { listSourcesWithKey } from "@sluice/store/configuration/gemini-keys";
import type { Connection } from "@sluice/store/connection/database";
import { countGeminiRequests } from "@sluice/store/upstream/request-budget";
import { findLastEvent } from "@sluice/store/upstream/upstream-ping";
import type { UpstreamRow } from "@sluice/store/upstream/upstreams";

import { withoutRepeats } from "../http/repeats.ts";
import { idField, orNull } from "../openapi/endpoint.ts";
import { shownSecret } from "../sources/signing-secret.ts";

/** The most days that a signing secret may last before it is rotated. */
const MAX_ROTATION_DAYS = 365;

const nullableTime = (description: string) => z.string().nullable().openapi({ format: "date-time", description });
/** A list of its own for each schema: the OpenAPI library writes descriptions into the schema that it gets. */
const registrableEvents = () => z.array(z.enum(REGISTRABLE_EVENTS).openapi("RegistrableEvent"));

const heal = z.enum(["off", "auto"]).openapi("Healing");
const rotateEveryDays = z.int().min(1).max(MAX_ROTATION_DAYS).nullable();

export const registration = z
  .strictObject({
    subscribed_events: registrableEvents()
      .min(1)
      .apply(withoutRepeats)
      .optional()
      .openapi({
        description: "If you leave it out, a webhook that exists keeps its events, and a new one gets all of them",
        example: ["batch.succeeded", "batch.failed"],
      }),
  })
  .openapi("UpstreamRegistration");

export const deregistration = z
  .strictObject({
    keep_webhook: z.boolean().default(false).openapi({
      description: "Forgets the webhook and leaves it at Gemini. This needs no valid API key.",
    }),
  })
  .openapi("UpstreamDeregistration");

export const upstreamChange = z
  .strictObject({
    rotate_every_days: rotateEveryDays.optional().openapi({
      description: "How often the relay rotates the signing secret by itself; null is never",
      example: 30,
    }),
    heal: heal.optional().openapi({
      description:
        "`auto` enables the webhook again after Gemini disabled it for failed deliveries, three times a day at most",
      example: "auto",
    }),
  })
  .openapi("UpstreamChange");

const drift = z
  .object({ code: z.string().openapi({ example: "disabled" }), detail: z.string() })
  .openapi("UpstreamDrift");
const upstreamProblem = z
  .object({ code: z.string(), detail: z.string(), since: z.string().openapi({ format: "date-time" }) })
  .openapi("UpstreamProblem");
const underWay = z
  .object({
    action: z.string(),
    step: z.string(),
    began_at: z.string().openapi({ format: "date-time" }),
    failures: z.int(),
  })
  .openapi("UpstreamWork");

export const upstreamSchema = z
  .object({
    source: idField("src"),
    webhook_id: z.string().nullable().openapi({ description: "Null until a registration has succeeded" }),
    uri: z.string().openapi({ example: "https://hooks.example.com/in/gemini" }),
    subscribed_events: z.array(z.string()).openapi({ example: ["batch.succeeded"], description: "As registered" }),
    state: z.string().nullable().openapi({
      example: "enabled",
      description: "As last seen: `enabled`, `disabled` or `disabled_due_to_failed_deliveries`",
    }),
    signing_secrets: z.array(shownSecret).openapi({ description: "Those that Gemini signs with, as last seen" }),
    checked_at: nullableTime("When Gemini last showed the webhook"),
    last_event_at: nullableTime("When the newest event of the source arrived"),
    drift: z
      .array(drift)
      .openapi({ description: "What differs at Gemini from what the source expects, and what to do", example: [] }),
    problem: orNull(upstreamProblem).openapi({ description: "Why Gemini could not be asked last time", example: null }),
    under_way: orNull(underWay).openapi({
      description: "What was begun and has not ended. A worker goes on with it.",
      example: null,
    }),
    rotate_every_days: rotateEveryDays,
    next_rotation_at: nullableTime("Null without `rotate_every_days`"),
    heal,
    healed_at: z
      .array(z.string().openapi({ format: "date-time" }))
      .openapi({ description: "When the relay enabled the webhook again by itself in the last 24 hours", example: [] }),
    requests: z
      .object({ this_hour: z.int(), per_hour: z.int() })
      .openapi("RequestBudget")
      .openapi({ description: "Requests to Gemini with the API key of the source, and their limit" }),
    created_at: z.string().openapi({ format: "date-time" }),
  })
  .openapi("Upstream");

export type ShownUpstream = z.infer<typeof upstreamSchema>;

/**
 * Callers set the interval and the healing. All else is observed, and is no reason to refuse a change by `If-Match`.
 */
export const OBSERVED_OF_UPSTREAM: readonly string[] = Object.keys(upstreamSchema.shape).filter(
  (name) => name !== "rotate_every_days" && name !== "heal",
);

export interface ShowUpstreamDependencies {
  masterKey: MasterKey;
  geminiApiKey: Secret<string> | undefined;
  geminiRequestsPerHour: number;
}

export async function showUpstream(
  on: Connection,
  { masterKey, geminiApiKey, geminiRequestsPerHour }: ShowUpstreamDependencies,
  row: UpstreamRow,
): Promise<ShownUpstream> {
  const last = await findLastEvent(on, row.sourceId);
  const [key] = await listSourcesWithKey(on, masterKey, geminiApiKey, row.sourceId);
  const { seen, intent } = row;
  const recentMs = Date.now() - 86_400_000;
  return {
    source: formatId("src", row.sourceId),
    webhook_id: row.webhookId,
    uri: row.uri,
    subscribed_events: row.subscribedEvents,
    state: seen?.state ?? null,
    signing_secrets: (seen?.secrets ?? []).map(({ truncated, expire_time }) => ({
      truncated_secret: truncated,
      expire_time,
    })),
    checked_at: row.checkedAt?.toISOString() ?? null,
    last_event_at: last === undefined ? null : new Date(idTime(last.id)).toISOString(),
    drift: row.drift,
    problem: row.problem,
    under_way:
      intent === null
        ? null
        : { action: intent.kind, step: intent.step, began_at: intent.began_at, failures: intent.failures },
    rotate_every_days: row.rotateEveryDays,
    next_rotation_at: row.nextRotationAt?.toISOString() ?? null,
    heal: row.heal,
    healed_at: row.healedAt.filter((at) => at.getTime() > recentMs).map((at) => at.toISOString()),
    requests: {
      this_hour: key === undefined ? 0 : await countGeminiRequests(on, key.keyId),
      per_hour: geminiRequestsPerHour,
    },
    created_at: row.createdAt.toISOString(),
  };
}

const step = z
  .object({
    step: z.string().openapi({ example: "created" }),
    detail: z.string().openapi({ example: "Gemini made the webhook k0h9q38f6ejj1g9j7cgcdsauadmbewegl79f" }),
  })
  .openapi("UpstreamStep");
const warning = z
  .object({ code: z.string().openapi({ example: "ping_not_seen" }), detail: z.string() })
  .openapi("UpstreamWarning");

export const upstreamResult = z
  .object({
    steps: z.array(step).openapi({ description: "What was done, in this order" }),
    warnings: z.array(warning).openapi({ description: "What does not work, although the rest is done", example: [] }),
    upstream: upstreamSchema,
  })
  .openapi("UpstreamResult");
