// What a caller says about a job of Gemini that the relay is to wait for, when it announces the job or makes its callback URL.

import { z } from "@hono/zod-openapi";

import { bareJobId, GEMINI_JOB_KINDS, type GeminiJobKind } from "@sluice/shared/domain/job-ends";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Secret } from "@sluice/shared/settings/secret";
import type { SourceRecord } from "@sluice/store/configuration/sources";

import { invalidRequest } from "../http/invalid-request.ts";
import { hasGeminiKey } from "./reconcile-settings.ts";

/** Results of a job are gone after two days, so that nobody waits for one much longer. */
const MAX_EXPECTED_SECONDS = 7 * 86_400;
/** Google's target for a batch is a day. An interaction in the background and a video take minutes. */
const DEFAULT_EXPECTED_SECONDS: Record<GeminiJobKind, number> = { batch: 86_400, interaction: 3_600, video: 3_600 };

const FORMS: Record<GeminiJobKind, { pattern: RegExp; toName: (given: string) => string; form: string }> = {
  batch: {
    pattern: /^(?:batches\/)?[\w.-]{1,128}$/,
    toName: (given) => `batches/${bareJobId(given)}`,
    form: "batches/abc123",
  },
  interaction: { pattern: /^(?:interactions\/)?[\w.-]{1,256}$/, toName: bareJobId, form: "v1_abc123" },
  video: {
    pattern: /^models\/[\w.-]{1,128}\/operations\/[\w.-]{1,128}$/,
    toName: (given) => given,
    form: "models/veo-3.1/operations/abc123",
  },
};

export const jobKind = z.enum(GEMINI_JOB_KINDS).openapi("JobKind", { description: "What the job is at Gemini" });

export const jobName = z.string().min(1).max(400).openapi({
  description:
    "The name that Gemini gave to the job: `batches/…`, the id of an interaction, or `models/…/operations/…` of a video",
  example: "v1_abc123",
});

export const expectWithin = z.int().min(1).max(MAX_EXPECTED_SECONDS).optional().openapi({
  description:
    "The time from now on within which the job should end. A day for a batch when not given, and an hour for any other job.",
  example: 3_600,
});

/** The instant at which a job is overdue, milliseconds since 1970. */
export function expectedAtMs(kind: GeminiJobKind, expectWithinSeconds: number | undefined): number {
  return Date.now() + (expectWithinSeconds ?? DEFAULT_EXPECTED_SECONDS[kind]) * 1_000;
}

/** The name as the relay keeps it. @throws SluiceError `invalid_request` that names the field. */
export function readJobName(kind: GeminiJobKind, given: string, pointer: string): string {
  const { pattern, toName, form } = FORMS[kind];
  if (!pattern.test(given))
    throw invalidRequest([{ pointer, detail: `must be the name of a ${kind} such as ${form}` }]);
  return toName(given);
}

/** @throws SluiceError `gemini_key_missing` */
export function requireGeminiKey(source: SourceRecord, geminiApiKey: Secret<string> | undefined): void {
  if (hasGeminiKey(source, geminiApiKey)) return;
  throw new SluiceError(
    "gemini_key_missing",
    `The source "${source.name}" has no key of the Gemini API, so that its jobs cannot be read: set gemini_api_key`,
  );
}
