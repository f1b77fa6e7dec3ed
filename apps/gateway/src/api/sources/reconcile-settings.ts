// How a source is reconciled with the jobs at Gemini, in requests and answers. It needs a key of the Gemini API.

import { isDeepStrictEqual } from "node:util";

import { z } from "@hono/zod-openapi";

import type { Fault } from "@sluice/shared/runtime/errors";
import type { Secret } from "@sluice/shared/settings/secret";
import { type ReconcileSettings, setReconciliation } from "@sluice/store/configuration/reconciliation";
import { GEMINI_SOURCE, type SourceRecord } from "@sluice/store/configuration/sources";
import type { Connection } from "@sluice/store/connection/database";
import { reconcileNow } from "@sluice/store/upstream/jobs-readers";

import { invalidRequest } from "../http/invalid-request.ts";

const DAY_SECONDS = 86_400;
const HOUR_MS = 3_600_000;
/** The ledger of webhook ids goes back for a week. */
const MAX_LOOKBACK_HOURS = 168;

const fields = {
  enabled: z.boolean().openapi({
    description: "Whether the relay looks at Gemini for jobs that have ended, and whose webhooks did not come",
    example: false,
  }),
  every_seconds: z
    .int()
    .min(10)
    .max(DAY_SECONDS)
    .openapi({ description: "The time between two looks at the list of batches", example: 300 }),
  grace_seconds: z.int().min(10).max(DAY_SECONDS).openapi({
    description: "How long after the end of a job its webhook may come before the relay makes an event in its place",
    example: 900,
  }),
  lookback_hours: z
    .int()
    .min(1)
    .max(MAX_LOOKBACK_HOURS)
    .openapi({ description: "Batches that were made earlier are left alone", example: 72 }),
};

export const shownReconcile = z.object(fields).openapi("ReconcileSettings");

export const reconcileChange = z
  .strictObject({
    enabled: fields.enabled.optional(),
    every_seconds: fields.every_seconds.optional(),
    grace_seconds: fields.grace_seconds.optional(),
    lookback_hours: fields.lookback_hours.optional(),
  })
  .openapi("ReconcileChange")
  .optional()
  .openapi({ description: "How the source is reconciled with the jobs at Gemini. It needs `gemini_api_key`." });

export function showReconcile(settings: ReconcileSettings): z.infer<typeof shownReconcile> {
  return {
    enabled: settings.enabled,
    every_seconds: settings.everySeconds,
    grace_seconds: settings.graceSeconds,
    lookback_hours: settings.lookbackHours,
  };
}

/** The settings after a change. */
export function applyReconcile(current: ReconcileSettings, given: z.infer<typeof reconcileChange>): ReconcileSettings {
  return {
    enabled: given?.enabled ?? current.enabled,
    everySeconds: given?.every_seconds ?? current.everySeconds,
    graceSeconds: given?.grace_seconds ?? current.graceSeconds,
    lookbackHours: given?.lookback_hours ?? current.lookbackHours,
  };
}

/**
 * Writes the settings that a caller gives, in the transaction that has written the source and its key.
 * @throws SluiceError `invalid_request` when a source without a key would be reconciled.
 */
export async function changeReconciliation(
  tx: Connection,
  source: SourceRecord,
  given: z.infer<typeof reconcileChange>,
  geminiApiKey: Secret<string> | undefined,
): Promise<void> {
  const settings = applyReconcile(source.reconcile, given);
  if (settings.enabled && !hasGeminiKey(source, geminiApiKey))
    throw invalidRequest([keyFault(given?.enabled === true)]);
  // A request that changes nothing here does not cost a look at the whole list.
  if (isDeepStrictEqual(settings, source.reconcile)) return;
  await setReconciliation(tx, source.id, settings);
  // A longer lookback takes effect at once, and not with the next look at the whole list.
  if (settings.enabled) await reconcileNow(tx, source.id, Date.now() - settings.lookbackHours * HOUR_MS);
}

/** @param geminiApiKey `GEMINI_API_KEY`, which stands in for the source `gemini`. */
export function hasGeminiKey({ name, geminiKey }: SourceRecord, geminiApiKey: Secret<string> | undefined): boolean {
  return geminiKey !== null || (name === GEMINI_SOURCE && geminiApiKey !== undefined);
}

function keyFault(isAsked: boolean): Fault {
  return isAsked
    ? { pointer: "/reconcile/enabled", detail: "needs a key of the Gemini API: set gemini_api_key too" }
    : {
        pointer: "/gemini_api_key",
        detail: "is needed while the source is reconciled: set reconcile.enabled to false",
      };
}
