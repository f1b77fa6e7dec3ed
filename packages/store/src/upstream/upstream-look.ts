// Writes down how the webhook of a source looked at Gemini, or that nobody could look. When the differences appear,
// change or go, the same transaction stores an operational event, so that there is one for each change and none
// without one.

import type { GeminiFailure } from "@sluice/gemini/failure";
import type { UpstreamWebhook } from "@sluice/gemini/webhooks";
import { formatId, newId } from "@sluice/shared/domain/ids";

import type { Connection } from "../connection/database.ts";
import { withPartitions } from "../connection/partitions.ts";
import { storeOperationalEvent } from "../delivery/relay-event.ts";
import type { Drift } from "../schema.ts";
import { isSameDrift, judgeFailure, judgeMissingKey, judgeWebhook, toProblem, toSeen } from "./upstream-drift.ts";
import { endRetiredSecrets, listHeldSecrets } from "./upstream-secrets.ts";
import type { UpstreamDependencies, UpstreamWork } from "./upstream-work.ts";
import { getUpstream, saveUpstream, upstreamBusy, type UpstreamClaim, type UpstreamRow } from "./upstreams.ts";

/** @throws SluiceError `upstream_busy` when the claim was lost. */
export async function recordLook(work: UpstreamWork, webhook: UpstreamWebhook): Promise<Drift[]> {
  const { dependencies, claim, sourceName } = work;
  const result = await withLogTransaction(dependencies, async (tx) => {
    const hasEnded = await endRetiredSecrets(tx, claim.sourceId, webhook);
    const row = await requireRow(tx, claim);
    const held = await listHeldSecrets(tx, claim.sourceId);
    const drift = judgeWebhook(webhook, {
      uri: row.uri,
      subscribedEvents: row.subscribedEvents,
      sourceName,
      heldSecrets: held.map(({ truncated }) => truncated),
    });
    await saveUpstream(tx, claim, { seen: toSeen(webhook), checkedAt: new Date(), problem: null, drift });
    const targetIds = await tellDrift(tx, row, sourceName, { drift, state: webhook.state });
    return { drift, hasEnded, targetIds };
  });
  for (const targetId of result.targetIds) dependencies.wakeTarget(targetId);
  if (result.hasEnded) await dependencies.sourcesChanged();
  return result.drift;
}

/** Writes down why something else than a look failed. It says nothing about differences. */
export async function recordUpstreamProblem(
  { db }: UpstreamDependencies,
  claim: UpstreamClaim,
  failure: GeminiFailure,
): Promise<void> {
  const row = await requireRow(db, claim);
  await saveUpstream(db, claim, { problem: toProblem(failure, row.problem, Date.now()) });
}

/** @param sourceName for the operational event. */
export async function recordFailedLook(
  dependencies: UpstreamDependencies,
  claim: UpstreamClaim,
  sourceName: string,
  failure: GeminiFailure | "key_missing",
): Promise<void> {
  const targetIds = await withLogTransaction(dependencies, async (tx) => {
    const row = await requireRow(tx, claim);
    const nowMs = Date.now();
    const problem = failure === "key_missing" ? missingKeyProblem(row, nowMs) : toProblem(failure, row.problem, nowMs);
    // Without a webhook there is nothing that could differ.
    const drift =
      row.webhookId === null
        ? []
        : failure === "key_missing"
          ? judgeMissingKey(row.drift)
          : judgeFailure(failure, problem, row.drift, nowMs);
    await saveUpstream(tx, claim, { problem, drift });
    return tellDrift(tx, row, sourceName, { drift, state: row.seen?.state ?? null });
  });
  for (const targetId of targetIds) dependencies.wakeTarget(targetId);
}

function missingKeyProblem({ problem }: UpstreamRow, nowMs: number) {
  const since = problem?.code === "key_missing" ? problem.since : new Date(nowMs).toISOString();
  return { code: "key_missing", detail: "The source has no gemini_api_key: set one", since };
}

/** Stores the event when the differences are not those of the row. @returns the targets that get it. */
async function tellDrift(
  tx: Connection,
  row: UpstreamRow,
  sourceName: string,
  { drift, state }: { drift: Drift[]; state: string | null },
): Promise<string[]> {
  if (isSameDrift(row.drift, drift)) return [];
  const id = formatId("src", row.sourceId);
  return storeOperationalEvent(tx, "sluice.source.drift", {
    id,
    source: sourceName,
    webhook_id: row.webhookId,
    state,
    drift,
  });
}

/** Today's partition may be missing, because the operational event is a row of the log. */
async function withLogTransaction<T>({ db }: UpstreamDependencies, work: (tx: Connection) => Promise<T>): Promise<T> {
  return withPartitions(db, [newId()], () => db.orm.transaction((orm) => work({ orm })));
}

async function requireRow(tx: Connection, { sourceId }: UpstreamClaim): Promise<UpstreamRow> {
  const row = await getUpstream(tx, sourceId);
  // Its source was deleted.
  if (row === undefined) throw upstreamBusy();
  return row;
}
