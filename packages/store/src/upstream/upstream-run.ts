// Does what the intent of a claimed row says, and then looks at the webhook. Every end releases the claim: after a
// success, a refusal (the intent is given up, and the row says why) or a passing failure (the intent stays, and a
// worker comes back).

import { GeminiFailure } from "@sluice/gemini/failure";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { getSource } from "../configuration/sources.ts";
import type { Drift, UpstreamIntent } from "../schema.ts";
import type { Author } from "../requests/audit.ts";
import { healUpstream } from "./upstream-heal.ts";
import { recordFailedLook, recordLook, recordUpstreamProblem } from "./upstream-look.ts";
import { registerUpstream } from "./upstream-register.ts";
import { rotateUpstream } from "./upstream-rotate.ts";
import {
  openUpstreamWork,
  type UpstreamDependencies,
  type UpstreamStep,
  type UpstreamWarning,
  type UpstreamWork,
} from "./upstream-work.ts";
import { releaseUpstream, saveUpstream, type UpstreamClaim } from "./upstreams.ts";

/** How often a worker looks at a webhook: 12 requests an hour for each. */
export const CHECK_EVERY_MS = 300_000;
/**
 * After a failure: a minute, then twice as long each time, up to an hour. A lost answer of a rotation costs a secret
 * each time.
 */
const FIRST_RETRY_MS = 60_000;
const MAX_RETRY_MS = 3_600_000;

export interface UpstreamOutcome {
  steps: UpstreamStep[];
  warnings: UpstreamWarning[];
  drift: Drift[];
}

/**
 * @throws GeminiFailure, SluiceError `upstream_not_configured` and `upstream_busy`.
 */
export async function runUpstream(
  dependencies: UpstreamDependencies,
  claim: UpstreamClaim,
  author: Author,
): Promise<UpstreamOutcome> {
  let work: UpstreamWork | undefined;
  try {
    work = await openUpstreamWork(dependencies, claim, author);
    if (work.row.intent !== null) await follow(work, work.row.intent);
    const drift = await look(work);
    await releaseUpstream(dependencies.db, claim, work.row.webhookId === null ? null : CHECK_EVERY_MS);
    return { steps: work.steps, warnings: work.warnings, drift };
  } catch (error) {
    if (work !== undefined && error instanceof GeminiFailure) await giveUpOrComeBack(work, error);
    else await comeBack(dependencies, claim, error);
    throw error;
  }
}

/** After a failure that says nothing about Gemini. */
async function comeBack(dependencies: UpstreamDependencies, claim: UpstreamClaim, error: unknown): Promise<void> {
  const { db } = dependencies;
  if (error instanceof SluiceError && error.code === "upstream_not_configured") {
    const source = await getSource(db, claim.sourceId);
    if (source !== undefined) await recordFailedLook(dependencies, claim, source.name, "key_missing");
  }
  await releaseUpstream(db, claim, CHECK_EVERY_MS);
}

async function follow(work: UpstreamWork, intent: UpstreamIntent): Promise<void> {
  const { webhookId } = work.row;
  if (intent.kind === "register") return registerUpstream(work, intent);
  if (webhookId === null) return saveUpstream(work.dependencies.db, work.claim, { intent: null });
  return intent.kind === "rotate" ? rotateUpstream(work, webhookId) : healUpstream(work, webhookId, intent);
}

/** A look that fails after the work is done is a warning, because the work is done. */
async function look(work: UpstreamWork): Promise<Drift[]> {
  const { webhookId } = work.row;
  if (webhookId === null) return [];
  const isAlone = work.steps.length === 0;
  try {
    const drift = await recordLook(work, await work.webhooks.get(webhookId));
    work.steps.push({ step: "checked", detail: drift.length === 0 ? "Nothing differs" : `Differs: ${codesOf(drift)}` });
    return drift;
  } catch (error) {
    if (isAlone || !(error instanceof GeminiFailure)) throw error;
    await recordFailedLook(work.dependencies, work.claim, work.sourceName, error);
    work.warnings.push({ code: "not_checked", detail: error.message });
    return [];
  }
}

const codesOf = (drift: readonly Drift[]) => drift.map(({ code }) => code).join(", ");

async function giveUpOrComeBack(work: UpstreamWork, failure: GeminiFailure): Promise<void> {
  const { dependencies, claim, row, sourceName } = work;
  const { db } = dependencies;
  const { intent } = row;
  // What Gemini does not take in a registration says nothing about the webhook that is there.
  if (intent !== null && failure.kind === "refused") await recordUpstreamProblem(dependencies, claim, failure);
  else await recordFailedLook(dependencies, claim, sourceName, failure);
  if (intent === null) return releaseUpstream(db, claim, CHECK_EVERY_MS);
  if (!failure.isPassing) {
    await saveUpstream(db, claim, { intent: null });
    return releaseUpstream(db, claim, row.webhookId === null ? null : CHECK_EVERY_MS);
  }
  await saveUpstream(db, claim, { intent: { ...intent, failures: intent.failures + 1 } });
  return releaseUpstream(db, claim, Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** intent.failures));
}
