// What the endpoints of a webhook at Gemini share: their dependencies, how they find its row, and how a failure of
// Gemini becomes an answer.

import type { Context } from "hono";

import { GeminiFailure } from "@sluice/gemini/failure";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Connection } from "@sluice/store/connection/database";
import type { UpstreamDependencies } from "@sluice/store/upstream/upstream-work";
import { getUpstream, type UpstreamRow } from "@sluice/store/upstream/upstreams";

import type { ApiEnv } from "../http/api-env.ts";
import { withEtag } from "../http/etag.ts";
import type { SourcesDependencies } from "../sources/source-endpoint.ts";
import { OBSERVED_OF_UPSTREAM, type ShownUpstream } from "./upstream-schema.ts";

export interface UpstreamApiDependencies
  extends
    SourcesDependencies,
    Pick<
      UpstreamDependencies,
      "geminiApiKey" | "geminiBaseUrl" | "geminiRequestsPerHour" | "reconcileNow" | "seenLimitMs" | "secretSpreadsMs"
    > {
  wakeTarget: (targetId: string) => Promise<unknown>;
}

/** The workers go on by themselves after a minute; an impatient caller may ask again then. */
const RETRY_AFTER_SECONDS = 60;

export const upstreamTags = ["sources"];

export async function findUpstream(on: Connection, sourceId: string): Promise<UpstreamRow> {
  const row = await getUpstream(on, sourceId);
  if (row !== undefined) return row;
  throw new SluiceError(
    "not_found",
    "The relay manages no webhook at Gemini for this source: POST /v1/sources/{id}/upstream:register makes one",
  );
}

/** @throws SluiceError `gemini_failed` or `gemini_refused` for a failure of Gemini. */
export async function asAnswer<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof GeminiFailure)) throw error;
    throw error.isPassing
      ? new SluiceError("gemini_failed", error.message, { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error })
      : new SluiceError("gemini_refused", error.message, { cause: error });
  }
}

export const withUpstreamEtag = (c: Context<ApiEnv>, shown: ShownUpstream): ShownUpstream =>
  withEtag(c, shown, OBSERVED_OF_UPSTREAM);
