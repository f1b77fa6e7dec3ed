// What is reconciled together: the sources that share a key of the Gemini API see the same jobs, and share the key's requests.

import type { GeminiJobs } from "@sluice/gemini/jobs";
import type { Logger } from "@sluice/shared/runtime/log";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { Secret } from "@sluice/shared/settings/secret";
import type { SourceWithKey } from "@sluice/store/configuration/gemini-keys";
import { RECONCILE_DEFAULTS, type ReconcileSettings } from "@sluice/store/configuration/reconciliation";
import type { Database } from "@sluice/store/connection/database";
import type { ClaimedReader, ReaderChange } from "@sluice/store/upstream/jobs-readers";

import type { WorkerConfig } from "../worker-config.ts";

export interface ReconcileDependencies {
  db: Database;
  masterKey: MasterKey;
  /** `RETENTION_DAYS`: the log that events are looked for in goes back so far. */
  config: Pick<WorkerConfig, "GEMINI_API_KEY" | "GEMINI_BASE_URL" | "GEMINI_REQUESTS_PER_HOUR" | "RETENTION_DAYS">;
  workerId: string;
  /** Wakes the lane of a target that has a new delivery. */
  wake: (targetId: string) => void;
  log: Logger;
}

/** A key of the Gemini API with every source that has it. */
export interface KeyOfSources {
  keyId: string;
  key: Secret<string>;
  sources: SourceWithKey[];
  /** By the ids of sources; those without settings have the defaults. */
  settings: ReadonlyMap<string, ReconcileSettings>;
}

export interface JobTurn extends ReconcileDependencies {
  key: KeyOfSources;
  reader: ClaimedReader;
  /** Whether intake enters the events of all of these sources for long enough, so that events may be made. */
  hasRested: boolean;
  stopping: AbortSignal;
}

/** A turn with its reader at Gemini. */
export interface OpenTurn extends JobTurn {
  gemini: GeminiJobs;
  /** How many requests the turn has made. */
  requests: { count: number };
  /** Writes progress, if there is any, and renews the claim in time. @throws LostTurn when another worker has taken over. */
  keep: (change?: ReaderChange) => Promise<void>;
}

/** The settings by which the jobs of a source are handled: its own, or else those of the source that lists. */
export function settingsOf({ settings, sources }: KeyOfSources, sourceId?: string): ReconcileSettings {
  const own = sourceId === undefined ? undefined : settings.get(sourceId);
  if (own?.enabled === true) return own;
  const owner = listingSourceOf({ settings, sources });
  return (owner === undefined ? own : settings.get(owner.sourceId)) ?? RECONCILE_DEFAULTS;
}

/** The source that batches belong to which nobody announced: the oldest that is reconciled. */
export function listingSourceOf({
  sources,
  settings,
}: Pick<KeyOfSources, "sources" | "settings">): SourceWithKey | undefined {
  return sources.find(({ sourceId }) => settings.get(sourceId)?.enabled === true);
}
