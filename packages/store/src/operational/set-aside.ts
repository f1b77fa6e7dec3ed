// Tells that events could not be stored and were set aside. They are in the queue, so the caller has looked there.

import { type Connection, runPrepared } from "../connection/database.ts";
import type { Told } from "./told.ts";
import { RELAY } from "./types.ts";

/** What one store of the queue has set aside. */
export interface SetAsideSight {
  store: string;
  count: number;
  /** The newest first; at most a few. */
  newest: { id: string; failedAtMs: number; error: string }[];
}

const MAX_ERROR_LENGTH = 300;

/** @param sights of the stores that answered. */
export async function tellSetAside(tx: Connection, told: Told, sights: readonly SetAsideSight[]): Promise<void> {
  const [row] = await runPrepared<{ set_aside: Record<string, number> }>(tx, {
    name: "read-set-aside-told",
    text: "SELECT set_aside FROM telling",
    values: [],
  });
  const known = row?.set_aside ?? {};
  const isNew = sights.some(({ store, newest }) => (newest[0]?.failedAtMs ?? 0) > (known[store] ?? 0));
  if (!isNew) return;
  const isTold = await told.happened(tx, "sluice.event.set_aside", RELAY, {
    id: RELAY,
    count: sights.reduce((sum, { count }) => sum + count, 0),
    samples: sights.flatMap(({ store, newest }) =>
      newest.map(({ id, failedAtMs, error }) => ({
        id: `${store}-${id}`,
        failed_at: new Date(failedAtMs).toISOString(),
        error: error.slice(0, MAX_ERROR_LENGTH).toWellFormed(),
      })),
    ),
  });
  // What has to wait for the hour is still new then.
  if (!isTold) return;
  const newest = sights.map(({ store, newest: [first] }) => [store, first?.failedAtMs ?? known[store] ?? 0]);
  await runPrepared(tx, {
    name: "note-set-aside-told",
    text: "UPDATE telling SET set_aside = set_aside || $1::jsonb",
    values: [JSON.stringify(Object.fromEntries(newest))],
  });
}
