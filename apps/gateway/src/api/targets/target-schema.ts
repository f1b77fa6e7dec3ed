// A target in the answers of /v1/targets, and what a request makes of its settings.

import { z } from "@hono/zod-openapi";

import { formatId } from "@sluice/shared/domain/ids";
import type { TargetKind } from "@sluice/shared/domain/target-kinds";
import { SluiceError } from "@sluice/shared/runtime/errors";
import {
  defaultsOf,
  TARGET_DEFAULTS,
  type TargetHealth,
  type TargetRecord,
  type TargetSettings,
} from "@sluice/store/configuration/targets";

import { invalidRequest } from "../http/invalid-request.ts";
import { idField, orNull } from "../openapi/endpoint.ts";
import { shownSecret, showSecrets } from "../sources/signing-secret.ts";
import { shownLostSecrets } from "../openapi/shown-lost-secrets.ts";
import { shownManager } from "../openapi/shown-manager.ts";
import { addressFor, refuseForeignToChat } from "./chat-target.ts";
import { refuseForeignToPull, uriFor } from "./pull-target.ts";
import {
  MAX_TARGET_NAME_LENGTH,
  type newTarget,
  settableState,
  type targetChange,
  targetKind,
  targetRateLimit,
  type targetReplacement,
} from "./target-request.ts";
import { headersFor, redactHeaders, restoreHeaders } from "./target-headers.ts";
import { applyTls, onlyCredential, showTls, shownTls, tlsFor } from "./target-tls.ts";

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

export const targetState = z
  .enum([...settableState.options, "disabled_due_to_failed_deliveries"])
  .openapi("TargetState");

export const targetSchema = z
  .object({
    id: idField("tgt"),
    name: z.string(),
    kind: targetKind,
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
    rate_limit: orNull(targetRateLimit).openapi({ example: null }),
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
  ofKind === "pull" ? ofKind : new URL(address).host.slice(0, MAX_TARGET_NAME_LENGTH);

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
