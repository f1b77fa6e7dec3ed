// How a source is reconciled: whether, how often and how far back. A source that was never asked to has no row.

import type { Connection } from "../connection/database.ts";
import { reconciliations } from "../schema.ts";

export interface ReconcileSettings {
  enabled: boolean;
  /** The time between two looks at the list of batches. */
  everySeconds: number;
  /** How long after the end of a job its webhook may come before the relay makes an event in its place. */
  graceSeconds: number;
  /** Batches that were made earlier are left alone. */
  lookbackHours: number;
}

/**
 * Google's webhooks come within seconds of the end; a quarter of an hour has room for its first retries. A batch expires after
 * 48 hours, so that three days hold every batch that may still end.
 */
export const RECONCILE_DEFAULTS: ReconcileSettings = {
  enabled: false,
  everySeconds: 300,
  graceSeconds: 900,
  lookbackHours: 72,
};

export async function setReconciliation(tx: Connection, sourceId: string, settings: ReconcileSettings): Promise<void> {
  await tx.orm
    .insert(reconciliations)
    .values({ sourceId, ...settings })
    .onConflictDoUpdate({ target: reconciliations.sourceId, set: settings });
}

/** @returns by the ids of the sources; a source with the defaults is missing. */
export async function loadReconciliations(on: Connection): Promise<Map<string, ReconcileSettings>> {
  const rows = await on.orm.select().from(reconciliations);
  return new Map(rows.map(({ sourceId, ...settings }) => [sourceId, settings]));
}
