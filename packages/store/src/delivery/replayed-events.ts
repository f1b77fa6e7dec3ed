// Reads the events of a batch that is replayed. Bodies are read only when a filter needs them, and only as many as fit:
// hundreds of events of the largest size would be gigabytes.

import type { Connection } from "../connection/database.ts";
import { anyOf } from "../log/id-range.ts";
import { countFitting, eventColumns, type EventRecord, readBodies } from "../log/records.ts";
import { events } from "../schema.ts";

/** The total size of the bodies of one batch, or one body. */
const MAX_BYTES = 4 * 1024 * 1024;

export type ReplayedEvent = EventRecord & { body: Buffer };

/**
 * Reads events in the order of their ids. Leaves out those that retention deleted meanwhile.
 * @param withBodies when false, every body is empty.
 * @returns `complete` is false when the bodies of the last events did not fit, and these are missing.
 */
export async function readReplayedEvents(
  on: Connection,
  ids: readonly string[],
  withBodies: boolean,
): Promise<{ events: ReplayedEvent[]; complete: boolean }> {
  if (ids.length === 0) return { events: [], complete: true };
  const rows = await on.orm.select(eventColumns).from(events).where(anyOf(events.id, ids)).orderBy(events.id);
  if (!withBodies) return { events: rows.map((row) => ({ ...row, body: EMPTY })), complete: true };
  const fitting = rows.slice(0, countFitting(rows, MAX_BYTES));
  const bodies = await readBodies(
    on,
    fitting.map(({ id }) => id),
  );
  const found = fitting.flatMap((row) => {
    const body = bodies.get(row.id);
    return body === undefined ? [] : [{ ...row, body }];
  });
  return { events: found, complete: fitting.length === rows.length };
}

const EMPTY = Buffer.alloc(0);
