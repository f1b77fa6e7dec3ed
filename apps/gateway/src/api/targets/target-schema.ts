// A target in the requests and answers of /v1/targets.

import { z } from "@hono/zod-openapi";

import { formatId } from "@sluice/shared/domain/ids";
import { SUBSCRIPTION } from "@sluice/shared/domain/subscription";
import { TARGET_KINDS, type TargetKind } from "@sluice/shared/domain/target-kinds";
import { SluiceError } from "@sluice/shared/runtime/errors";
import {
  defaultsOf,
  TARGET_DEFAULTS,
  type TargetHealth,
  type TargetRecord,
  type TargetSettings,
} from "@sluice/store/configuration/targets";

import { absoluteUrl, hasCredentials, hasFragment } from "../http/absolute-url.ts";
import { invalidRequest } from "../http/invalid-request.ts";
import { plainText } from "../http/plain-text.ts";
import { withoutRepeats } from "../http/repeats.ts";
import { EXPRESSION_OVER, filterExpression } from "../log/filter-expression.ts";
import { idField, orNull } from "../openapi/endpoint.ts";
import { shownSecret, showSecrets } from "../sources/signing-secret.ts";
import { shownLostSecrets } from "../openapi/shown-lost-secrets.ts";
import { shownManager } from "../openapi/shown-manager.ts";
import { addressFor, refuseForeignToChat } from "./chat-target.ts";
import { refuseForeignToPull, uriFor } from "./pull-target.ts";
import { headersFor, headersSchema, redactHeaders, restoreHeaders } from "./target-headers.ts";
import { applyTls, onlyCredential, showTls, shownTls, tlsFor, tlsSchema } from "./target-tls.ts";

const MAX_NAME_LENGTH = 200;

export const targetName = plainText(MAX_NAME_LENGTH)
  .min(1)
  // The address of a target by its name would be another one: clients resolve these two in a path (RFC 3986, 5.2.4).
  .refine((text) => text !== "." && text !== "..", 'must not be "." or ".."')
  .openapi({ description: "Unique among targets. Upper and lower case differ." });

export const targetUri = absoluteUrl("must be an absolute http or https URL")
  .refine((text) => !hasFragment(text), "must not have a fragment")
  .refine((text) => !hasCredentials(text), "must not hold credentials; use headers for them")
  .openapi({ example: "http://billing.internal:3000/gemini" });

const subscribedEvents = z
  .array(
    z.string().regex(SUBSCRIPTION, {
      error: 'must be the name of an event such as "batch.succeeded", a group of them such as "batch.*", or "*"',
    }),
  )
  .min(1)
  .max(100)
  .apply(withoutRepeats)
  .openapi({ example: ["batch.*", "video.generated"] });

const filter = filterExpression.nullable().openapi({
  description: `${EXPRESSION_OVER} The target gets only the events for which it is true; null stands for all events.`,
  example: 'event.type == "batch.failed" || event.labels.team == "billing"',
});

const retryFields = {
  base_seconds: z.number().min(0.05).max(3_600),
  cap_seconds: z.number().min(0.05).max(86_400),
  horizon_seconds: z.number().min(1).max(604_800),
};
const MAX_IDLE_SECONDS = 366 * 86_400;
const timeoutSeconds = z.int().min(1).max(30);
const maxInFlight = z.int().min(1).max(1_000);
const rateLimit = z
  .strictObject({ requests: z.int().min(1).max(1_000_000), per_seconds: z.int().min(1).max(3_600) })
  .openapi("RateLimit", {
    description:
      "The most requests in this time, over all workers, kept within a tenth. They are spread evenly over the time.",
    example: { requests: 100, per_seconds: 60 },
  });
const state = z.enum(["enabled", "paused", "disabled"]).openapi("SettableTargetState");

const kind = z.enum(TARGET_KINDS).openapi("TargetKind", {
  description:
    "What the target takes. `http`: the body of each event, signed. `pull`: the same, but the service fetches it by `:pull`. The others: a message about each event, at the incoming " +
    "webhook of that chat service.",
});

/** The body of an update. A given field replaces the current value; in `retry` and `tls`, each given field does so. */
export const targetChange = z
  .strictObject({
    name: targetName.optional(),
    uri: targetUri.optional(),
    subscribed_events: subscribedEvents.optional(),
    state: state.optional(),
    headers: headersSchema.optional(),
    timeout_seconds: timeoutSeconds.optional(),
    max_in_flight: maxInFlight.optional(),
    rate_limit: orNull(rateLimit)
      .optional()
      .openapi({ description: "Null stands for no limit", example: { requests: 100, per_seconds: 60 } }),
    retry: z.strictObject(retryFields).partial().openapi("RetryChange").optional(),
    filter: filter.optional(),
    delete_after_idle_seconds: z
      .int()
      .min(60)
      .max(MAX_IDLE_SECONDS)
      .nullable()
      .optional()
      .openapi({
        description:
          "Only for pull targets: the relay deletes a target that nobody pulled for so long. Null stands for never, and so " +
          "does a file of settings that manages the target.",
        example: null,
      }),
    tls: orNull(tlsSchema)
      .optional()
      .openapi({
        description:
          "How the target is reached by TLS; only with https. Fields that you leave out stay as they are. Null removes all " +
          "of them. A change of the origin of `uri` drops the client certificate and its key, unless it gives new ones.",
        example: null,
      }),
  })
  .openapi("TargetChange");

const newTargetFields = z.strictObject({
  ...targetChange.shape,
  name: targetName.optional().openapi({
    description:
      "Unique among targets. If you leave it out, the name is the host of `uri`, or `pull`, with a number if it is taken.",
  }),
  kind: kind.default("http").openapi({ description: "The kind cannot be changed later" }),
  uri: targetUri.optional().openapi({ description: "Required, except for a pull target, which has none" }),
  subscribed_events: subscribedEvents,
});

export const newTarget = requireTargetUri(newTargetFields).openapi("NewTarget");

/** Names a missing `uri` beside all other faults. */
export function requireTargetUri<T extends z.ZodType<{ kind: TargetKind; uri?: string | undefined }>>(schema: T): T {
  return schema.refine(({ kind: ofKind, uri }) => ofKind === "pull" || uri !== undefined, {
    path: ["uri"],
    error: "is required for a target that the relay sends to",
    when: ({ value, issues }) =>
      typeof value === "object" &&
      value !== null &&
      !issues.some(({ path }) => path?.[0] === "uri" || path?.[0] === "kind"),
  });
}

/** The body of a PUT by name. */
export const targetReplacement = requireTargetUri(
  z.strictObject({
    ...newTargetFields.shape,
    name: targetName.optional().openapi({ description: "The name in the path" }),
  }),
).openapi("TargetReplacement");

const instant = z.string().openapi({ format: "date-time" }).nullable();

const healthSchema = z
  .object({
    breaker: z.enum(["closed", "open", "half_open"]).openapi("BreakerState", {
      description:
        "The state of the circuit breaker. `closed`: deliveries are sent. `open`: deliveries wait. `half_open`: one delivery " +
        "is being sent, to find out whether the target works again.",
    }),
    open_until: instant.openapi({
      description: "When one delivery may be sent again; null while the breaker is closed",
    }),
    failing_since: instant.openapi({ description: "The time of the first failed attempt since the last success" }),
    last_success_at: instant.openapi({
      description: "The time of the last success; a newer one is shown within a minute",
    }),
    last_failure_at: instant.openapi({
      description: "The time of the last failure; a newer one is shown within a minute",
    }),
  })
  .openapi("TargetHealth");

export const targetState = z.enum([...state.options, "disabled_due_to_failed_deliveries"]).openapi("TargetState");

export const targetSchema = z
  .object({
    id: idField("tgt"),
    name: z.string(),
    kind,
    uri: z.string().nullable().openapi({
      description:
        "Null for a pull target. Of a chat target only the scheme and the host, because its URL is a secret. If you send that back, the stored URL stays.",
    }),
    subscribed_events: z.array(z.string()).openapi({ example: ["batch.*", "video.generated"] }),
    state: targetState,
    state_reason: z
      .string()
      .nullable()
      .openapi({ description: "Why the relay disabled the target; null if a caller of the API set the state" }),
    state_changed_at: z.string().openapi({ format: "date-time" }),
    health: healthSchema,
    headers: z.record(z.string(), z.string()).openapi({ example: { authorization: "[redacted]" } }),
    timeout_seconds: z.int().openapi({ example: TARGET_DEFAULTS.timeoutSeconds }),
    max_in_flight: z.int().openapi({ example: TARGET_DEFAULTS.maxInFlight }),
    rate_limit: orNull(rateLimit).openapi({ example: null }),
    retry: z
      .object({
        base_seconds: z.number().openapi({ example: TARGET_DEFAULTS.retryBaseSeconds }),
        cap_seconds: z.number().openapi({ example: TARGET_DEFAULTS.retryCapSeconds }),
        horizon_seconds: z.number().openapi({ example: TARGET_DEFAULTS.retryHorizonSeconds }),
      })
      .openapi("Retry"),
    filter: z.string().nullable(),
    tls: orNull(shownTls).openapi({ example: null }),
    delete_after_idle_seconds: z.int().nullable().openapi({ example: null }),
    last_pulled_at: instant.openapi({
      description: "When the service of a pull target last pulled, to the minute; null if it never did",
      example: null,
    }),
    signing_secrets: z.array(shownSecret),
    lost_secrets: shownLostSecrets,
    managed_by: shownManager,
    created_at: z.string().openapi({ format: "date-time" }),
    updated_at: z.string().openapi({ format: "date-time" }),
  })
  .openapi("Target");

export const createdTarget = targetSchema
  .extend({
    new_signing_secret: z.string().optional().openapi({
      description: "The signing secret; shown only in this answer. A chat target has none.",
    }),
  })
  .openapi("CreatedTarget");

export function showTarget(record: TargetRecord): z.infer<typeof targetSchema> {
  return {
    id: formatId("tgt", record.id),
    name: record.name,
    kind: record.kind,
    uri: record.kind === "pull" ? null : record.uri,
    subscribed_events: record.subscribedEvents,
    state: record.state,
    state_reason: record.stateReason,
    state_changed_at: record.stateChangedAt.toISOString(),
    health: showHealth(record.health),
    headers: redactHeaders(record.headers),
    timeout_seconds: record.timeoutSeconds,
    max_in_flight: record.maxInFlight,
    rate_limit: showRateLimit(record),
    retry: {
      base_seconds: record.retryBaseSeconds,
      cap_seconds: record.retryCapSeconds,
      horizon_seconds: record.retryHorizonSeconds,
    },
    filter: record.filter,
    tls: showTls(record.tls),
    delete_after_idle_seconds: record.deleteAfterIdleSeconds,
    last_pulled_at: showInstant(record.lastPulledAt),
    signing_secrets: showSecrets(record.secrets),
    lost_secrets: record.lost,
    managed_by: record.managedBy,
    created_at: record.createdAt.toISOString(),
    updated_at: record.updatedAt.toISOString(),
  };
}

const showRateLimit = ({ rateLimitRequests: requests, rateLimitSeconds }: TargetSettings) =>
  requests === null || rateLimitSeconds === null ? null : { requests, per_seconds: rateLimitSeconds };

const showInstant = (at: Date | null | undefined) => at?.toISOString() ?? null;

function showHealth(health: TargetHealth | null): z.infer<typeof healthSchema> {
  return {
    breaker: health === null || health.openings === 0 ? "closed" : health.probeBy === null ? "open" : "half_open",
    open_until: showInstant(health?.openUntil),
    failing_since: showInstant(health?.failingSince),
    last_success_at: showInstant(health?.lastSuccessAt),
    last_failure_at: showInstant(health?.lastFailureAt),
  };
}

/** The name of a target that was given none. */
export const nameAfter = (ofKind: TargetKind, address: string) =>
  ofKind === "pull" ? ofKind : new URL(address).host.slice(0, MAX_NAME_LENGTH);

/** The settings of a new target. @throws SluiceError `invalid_request` */
export function toTargetSettings(given: z.infer<typeof newTarget>): TargetSettings {
  const uriGiven = uriFor(given.kind, given.uri);
  const address = addressFor(given.kind, uriGiven, undefined);
  const defaults = { ...defaultsOf(given.kind), ...address, name: nameAfter(given.kind, uriGiven) };
  return applyChange({ ...defaults, subscribedEvents: given.subscribed_events }, { ...given, uri: undefined });
}

/**
 * The settings that take the place of others. What is not given goes back to its default, except credentials: header
 * values, and the client certificate with its key.
 * @throws SluiceError `invalid_request`
 */
export function toReplacement(current: TargetSettings, given: z.infer<typeof targetReplacement>): TargetSettings {
  const { name, kind: ofKind, uri: address, chatUrl, headers, tls, managedBy } = current;
  if (given.kind !== ofKind) {
    const detail = `is ${given.kind}, but the target is ${ofKind}, and its kind cannot be changed`;
    throw invalidRequest([{ pointer: "/kind", detail }]);
  }
  uriFor(ofKind, given.uri);
  const credentials = { chatUrl, headers, tls: onlyCredential(tls) };
  const kept = { ...credentials, managedBy, name, uri: address, subscribedEvents: given.subscribed_events };
  return applyChange({ ...defaultsOf(ofKind), ...kept }, given);
}

/** @returns the settings after a change. @throws SluiceError `invalid_request` for fields that do not fit together. */
export function applyChange(current: TargetSettings, change: z.infer<typeof targetChange>): TargetSettings {
  const { retry = {}, rate_limit: rate } = change;
  if (change.uri !== undefined) uriFor(current.kind, change.uri);
  const { uri: address, chatUrl } = addressFor(current.kind, change.uri ?? current.uri, current);
  const stored = headersFor(current, address);
  const changed: TargetSettings = {
    name: change.name ?? current.name,
    kind: current.kind,
    uri: address,
    chatUrl,
    subscribedEvents: change.subscribed_events ?? current.subscribedEvents,
    state: change.state ?? current.state,
    headers: change.headers === undefined ? stored : restoreHeaders(change.headers, stored),
    timeoutSeconds: change.timeout_seconds ?? current.timeoutSeconds,
    maxInFlight: change.max_in_flight ?? current.maxInFlight,
    rateLimitRequests: rate === undefined ? current.rateLimitRequests : (rate?.requests ?? null),
    rateLimitSeconds: rate === undefined ? current.rateLimitSeconds : (rate?.per_seconds ?? null),
    retryBaseSeconds: retry.base_seconds ?? current.retryBaseSeconds,
    retryCapSeconds: retry.cap_seconds ?? current.retryCapSeconds,
    retryHorizonSeconds: retry.horizon_seconds ?? current.retryHorizonSeconds,
    filter: change.filter === undefined ? current.filter : change.filter,
    tls: applyTls(tlsFor(current, address), change.tls),
    deleteAfterIdleSeconds:
      change.delete_after_idle_seconds === undefined
        ? current.deleteAfterIdleSeconds
        : change.delete_after_idle_seconds,
    managedBy: current.managedBy,
  };
  if (changed.retryCapSeconds < changed.retryBaseSeconds) {
    const field = retry.cap_seconds === undefined ? "base_seconds" : "cap_seconds";
    const detail = `must keep cap_seconds (${changed.retryCapSeconds}) at or above base_seconds (${changed.retryBaseSeconds})`;
    throw new SluiceError("invalid_request", `/retry/${field} ${detail}`, {
      faults: [{ pointer: `/retry/${field}`, detail }],
    });
  }
  refuseForeignToChat(changed);
  refuseForeignToPull(changed);
  return changed;
}
