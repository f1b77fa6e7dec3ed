// What the live tail shows: the rows of the log that the journal names, as they are now, where they match a filter.

import { and, type SQL } from "drizzle-orm";

import { attempts, deliveries, type DeliveryStatus, events } from "../schema.ts";
import { type JournalEntry, type DeliveryChange, type JournalPosition, readChanges } from "./changes.ts";
import type { Database } from "../connection/database.ts";
import { anyOf, type AttemptRow, type DeliveryRecord, eventColumns, type EventRecord } from "../log/records.ts";
import {
  attemptConditions,
  type Conditions,
  deliveryConditions,
  type DeliveryFilter,
  eventConditions,
} from "../log/log-filter.ts";

export const TAIL_KINDS = ["event", "attempt", "delivery"] as const;
export type TailKind = (typeof TAIL_KINDS)[number];

/** A filter that a kind knows nothing of leaves it out: of an event there is no status code. */
export interface TailFilter extends DeliveryFilter {
  kinds?: readonly TailKind[] | undefined;
}

export type TailMessage =
  | { kind: "event"; event: EventRecord }
  | { kind: "attempt"; attempt: AttemptRow }
  | { kind: "delivery"; change: DeliveryChange; at: Date; delivery: DeliveryRecord };

/** What one statement of the relay wrote. */
export interface TailStep {
  messages: TailMessage[];
  /** After it. */
  position: JournalPosition;
}

/** Statements that are shown at once: a thousand rows of the log or so. */
const STEPS = 5;

/** What a delivery is after each of its changes. */
const STATUSES: Record<DeliveryChange, DeliveryStatus> = {
  created: "pending",
  succeeded: "succeeded",
  exhausted: "exhausted",
  cancelled: "cancelled",
  retried: "pending",
  reopened: "pending",
};

/** The next steps after a position. `isEnd` says that there was nothing beyond. */
export async function readTail(
  db: Database,
  filter: TailFilter,
  position: JournalPosition,
): Promise<{ steps: TailStep[]; next: JournalPosition; isEnd: boolean }> {
  const { changes, next, isEnd } = await readChanges(db, position, STEPS);
  if (changes.length === 0) return { steps: [], next, isEnd };
  const { kinds = TAIL_KINDS, statuses, ...rowFilter } = filter;
  const { eventId, targetId, statusCode, errorText, minAttempts } = rowFilter;
  const isOfEvents = [targetId, statusCode, errorText, minAttempts, statuses].every((each) => each === undefined);
  const moved = (change: JournalEntry) =>
    change.deliveries.filter(({ change: kind }) => statuses === undefined || statuses.includes(STATUSES[kind]));

  const eventIds = kinds.includes("event") && isOfEvents ? changes.flatMap((change) => change.eventIds) : [];
  const attemptIds =
    kinds.includes("attempt") && statuses === undefined ? changes.flatMap((change) => change.attemptIds) : [];
  const deliveryIds = kinds.includes("delivery")
    ? changes.flatMap((change) => moved(change).flatMap(({ ids }) => ids))
    : [];
  const ofEvent = eventId === undefined ? eventIds : eventIds.filter((id) => id === eventId);
  const foundEvents = await findChanged(ofEvent, (ids) =>
    db.orm
      .select(eventColumns)
      .from(events)
      .where(and(anyOf(events.id, ids), ...all(eventConditions(rowFilter)))),
  );
  const foundAttempts = await findChanged(attemptIds, (ids) =>
    db.orm
      .select()
      .from(attempts)
      .where(and(anyOf(attempts.id, ids), ...all(attemptConditions(rowFilter)))),
  );
  const foundDeliveries = await findChanged(deliveryIds, (ids) =>
    db.orm
      .select()
      .from(deliveries)
      .where(and(anyOf(deliveries.id, ids), ...all(deliveryConditions(rowFilter)))),
  );
  const steps = changes.map((change) => ({
    messages: [
      ...pick(change.eventIds, foundEvents, (event): TailMessage => ({ kind: "event", event })),
      ...pick(change.attemptIds, foundAttempts, (attempt): TailMessage => ({ kind: "attempt", attempt })),
      ...moved(change).flatMap(({ change: kind, ids }) =>
        pick(ids, foundDeliveries, (delivery): TailMessage => ({
          kind: "delivery",
          change: kind,
          at: change.at,
          delivery,
        })),
      ),
    ],
    position: change.position,
  }));
  return { steps, next, isEnd };
}

const all = ({ own, lookedUp }: Conditions): SQL[] => [...own, ...lookedUp];

/** @returns the rows by their ids; a delivery may be named more than once. */
async function findChanged<Row extends { id: string }>(
  ids: readonly string[],
  read: (ids: string[]) => Promise<Row[]>,
): Promise<Map<string, Row>> {
  const rows = ids.length === 0 ? [] : await read([...new Set(ids)]);
  return new Map(rows.map((row) => [row.id, row]));
}

/** In the order of the ids, which is that of time; those that were found. */
function pick<Row>(ids: readonly string[], rows: Map<string, Row>, show: (row: Row) => TailMessage): TailMessage[] {
  return ids.toSorted().flatMap((id) => {
    const row = rows.get(id);
    return row === undefined ? [] : [show(row)];
  });
}
