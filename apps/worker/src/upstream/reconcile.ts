// Reconciles jobs with Gemini, so that none is missed when its webhook does not come. Every worker looks for a key whose turn
// it is; the claim of the key's row lets one worker at a time read its jobs.

import { formatId } from "@sluice/shared/domain/ids";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import { listSourcesWithKey } from "@sluice/store/configuration/gemini-keys";
import { loadReconciliations } from "@sluice/store/configuration/reconciliation";
import { settleSeenJobs, wantJobEnds } from "@sluice/store/upstream/jobs-ends";
import {
  claimJobReader,
  endJobTurn,
  listSourcesWithOpenJobs,
  usesReconciliation,
} from "@sluice/store/upstream/jobs-readers";

import { type Loop, startLoop } from "../chores/loop.ts";
import type { KeyOfSources, ReconcileDependencies } from "./reconcile-key.ts";
import { JOB_LEASE_MS, takeJobTurn } from "./reconcile-turn.ts";

/** How often a worker asks whether it is the turn of a key. */
const LOOK_EVERY_MS = 3_000;
/** The time between two turns of a key. A turn without requests costs a few statements; it finds what has been seen. */
const TURN_EVERY_MS = 10_000;
/** How long the sources and their keys are taken for unchanged. */
const KEYS_FOR_MS = 10_000;

export function startReconciliation(dependencies: ReconcileDependencies): Loop {
  const { db, log } = dependencies;
  let keys = new Map<string, KeyOfSources>();
  let keysAt = Number.NEGATIVE_INFINITY;
  const stopping = new AbortController();
  const loop = startLoop(LOOK_EVERY_MS, async () => {
    try {
      if (performance.now() - keysAt >= KEYS_FOR_MS) {
        keys = (await usesReconciliation(db)) ? await loadKeys(dependencies) : new Map();
        keysAt = performance.now();
      }
      return (await takeNextTurn(keys, stopping.signal, dependencies)) ? 0 : LOOK_EVERY_MS;
    } catch (error) {
      // Failure policy: open. What was not concluded stays due, and the claim of the turn ends by itself.
      sparing(log).warn({ err: error }, "jobs not reconciled; trying again");
      return LOOK_EVERY_MS;
    }
  });
  return {
    close: async () => {
      stopping.abort();
      await loop.close();
    },
  };
}

/** @returns the keys with something to reconcile, each with every source that has it. */
async function loadKeys({ db, masterKey, config }: ReconcileDependencies): Promise<Map<string, KeyOfSources>> {
  const [sources, settings, withOpenJobs] = await Promise.all([
    listSourcesWithKey(db, masterKey, config.GEMINI_API_KEY),
    loadReconciliations(db),
    listSourcesWithOpenJobs(db),
  ]);
  const keys = new Map<string, KeyOfSources>();
  for (const [keyId, group] of Map.groupBy(sources, (source) => source.keyId)) {
    const [first] = group;
    const isWanted = group.some(
      ({ sourceId }) => settings.get(sourceId)?.enabled === true || withOpenJobs.has(sourceId),
    );
    if (first !== undefined && isWanted) keys.set(keyId, { keyId, key: first.key, sources: group, settings });
  }
  return keys;
}

/** @returns whether it was the turn of a key. */
async function takeNextTurn(
  keys: ReadonlyMap<string, KeyOfSources>,
  stopping: AbortSignal,
  dependencies: ReconcileDependencies,
): Promise<boolean> {
  if (keys.size === 0) return false;
  const { db, workerId } = dependencies;
  const reader = await claimJobReader(db, [...keys.keys()], workerId, JOB_LEASE_MS);
  const key = reader === undefined ? undefined : keys.get(reader.keyId);
  if (reader === undefined || key === undefined) return false;
  const sourceIds = key.sources.map(({ sourceId }) => sourceId);
  const hasRested = await wantJobEnds(db, key.keyId, sourceIds);
  await settleSeenJobs(db, sourceIds, (id) => formatId("job", id));
  const turn = { key, reader, hasRested, stopping, ...dependencies };
  const { change, hasMore } = reader.isPaused ? { change: {}, hasMore: false } : await takeJobTurn(turn);
  await endJobTurn(db, key.keyId, workerId, hasMore ? 0 : TURN_EVERY_MS, change);
  return true;
}
