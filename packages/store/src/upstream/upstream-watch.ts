// What a worker does by itself for the webhook of a source: it ends what another process began, rotates the secret
// when it is time, looks at the webhook, and enables it again where the source says so.

import { GeminiFailure } from "@sluice/gemini/failure";
import { newId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";

import type { UpstreamIntent } from "../schema.ts";
import { toHeal, toRotate } from "./upstream-intent.ts";
import { CHECK_EVERY_MS, runUpstream } from "./upstream-run.ts";
import { hasRoomForSecret } from "./upstream-secrets.ts";
import { RELAY_AUTHOR, type UpstreamDependencies } from "./upstream-work.ts";
import {
  claimDueUpstream,
  claimUpstream,
  countHeal,
  getUpstream,
  releaseUpstream,
  saveUpstream,
  type UpstreamClaim,
  type UpstreamRow,
} from "./upstreams.ts";

/** A webhook that is disabled again and again needs a person. */
const MAX_HEALS_PER_DAY = 3;

export interface WatchedUpstream {
  sourceId: string;
  /** `check`, or what was begun. */
  did: "check" | UpstreamIntent["kind"];
  /** Why it did not succeed; the row of the webhook says it, too. */
  failure: Error | undefined;
}

/** Works on the webhook that has been due for longest. @returns undefined when none is due. */
export async function watchNextUpstream(dependencies: UpstreamDependencies): Promise<WatchedUpstream | undefined> {
  const holder = newId();
  const row = await claimDueUpstream(dependencies.db, holder);
  if (row === undefined) return undefined;
  const { sourceId } = row;
  const claim = { sourceId, holder };
  const intent = row.intent ?? (await beginRotation(dependencies, claim, row));
  const did = intent?.kind ?? "check";
  try {
    await runUpstream(dependencies, claim, RELAY_AUTHOR);
    if (did !== "check") return { sourceId, did, failure: undefined };
    return { sourceId, did: (await healIfWanted(dependencies, sourceId)) ? "heal" : "check", failure: undefined };
  } catch (error) {
    if (error instanceof GeminiFailure || error instanceof SluiceError) return { sourceId, did, failure: error };
    throw error;
  }
}

async function beginRotation(
  { db, log }: UpstreamDependencies,
  claim: UpstreamClaim,
  row: UpstreamRow,
): Promise<UpstreamIntent | undefined> {
  const isDue = row.nextRotationAt !== null && row.nextRotationAt.getTime() <= Date.now();
  // A secret of a webhook that is not there cannot be rotated.
  if (!isDue || row.webhookId === null || row.drift.some(({ code }) => code === "webhook_missing")) return undefined;
  if (!(await hasRoomForSecret(db, row.sourceId))) {
    log.warn({ source_id: row.sourceId }, "no rotation: the source has as many signing secrets as it may have");
    return undefined;
  }
  const intent = toRotate();
  await saveUpstream(db, claim, { intent });
  return intent;
}

/**
 * Only what Gemini disabled: a person who disabled the webhook had a reason.
 * @returns whether it was healed.
 */
async function healIfWanted(dependencies: UpstreamDependencies, sourceId: string): Promise<boolean> {
  const { db, log } = dependencies;
  const row = await getUpstream(db, sourceId);
  const isWanted = row?.heal === "auto" && row.drift.some(({ code }) => code === "disabled_due_to_failed_deliveries");
  if (row === undefined || !isWanted) return false;
  const claim = { sourceId, holder: newId() };
  await claimUpstream(db, claim);
  if (!(await countHeal(db, claim, MAX_HEALS_PER_DAY))) {
    log.warn({ source_id: sourceId }, "webhook at Gemini not enabled again: it was too often today");
    await releaseUpstream(db, claim, CHECK_EVERY_MS);
    return false;
  }
  await saveUpstream(db, claim, { intent: await toHeal(db, row) });
  const { warnings } = await runUpstream(dependencies, claim, RELAY_AUTHOR);
  log.info({ source_id: sourceId, warnings }, "webhook at Gemini enabled again");
  return true;
}
