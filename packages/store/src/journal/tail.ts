// Reads what the live tail shows: the rows of the log that the journal names and a filter matches, as they are now.

import { and, type SQL } from "drizzle-orm";

import type { Database } from "../connection/database.ts";
import { anyOf } from "../log/id-range.ts";
import {
  attemptConditions,
  type Conditions,
  deliveryConditions,
  type DeliveryFilter,
  eventConditions,
} from "../log/log-filter.ts";
import { type AttemptRow, type DeliveryRecord, eventColumns, type EventRecord, withEvents } from "../log/records.ts";
import { attempts, deliveries, type DeliveryStatus, events } from "../schema.ts";
import { type DeliveryChange, type JournalEntry, type JournalPosition, readChanges } from "./changes.ts";

export const TAIL_KINDS = ["event", "attempt", "delivery"] as const;
export type TailKind = (typeof TAIL_KINDS)[number];

/** A kind that lacks a filtered property is left out: an event, for example, has no status code. */
export interface TailFilter extends DeliveryFilter {
  kinds?: readonly TailKind[] | undefined;
}

export type TailMessage =
  | { kind: "event"; event: EventRecord }
  | { kind: "attempt"; attempt: AttemptRow }
  | { kind: "delivery"; change: DeliveryChange; at: Date; delivery: DeliveryRecord };

/** What one statement of the relay wrote: one row of the journal. */
export interface TailStep {
  messages: TailMessage[];
  /** The position after these messages. */
  position: JournalPosition;
}

/** The most steps of one read, which have about a thousand rows of the log. */
const MAX_STEPS = 5;

/** The status of a delivery after each change. */
const STATUSES: Record<DeliveryChange, DeliveryStatus> = {
  created: "pending",
  succeeded: "succeeded",
  exhausted: "exhausted",
  cancelled: "cancelled",
  retried: "pending",
  reopened: "pending",
};

/** Reads the next steps after a position. The results are those of {@link readChanges}. */
export async function readTail(
  db: Database,
  filter: TailFilter,
  position: JournalPosition,
): Promise<{ steps: TailStep[]; next: JournalPosition; isEnd: boolean; wasAhead: boolean }> {
  const { changes, next, isEnd, wasAhead } = await readChanges(db, position, MAX_STEPS);
  if (changes.length === 0) return { steps: [], next, isEnd, wasAhead };
  const { kinds = TAIL_KINDS, statuses, ...rowFilter } = filter;
  const { eventId, targetId, statusCode, errorText, minAttempts } = rowFilter;
  const matchesEvents = [targetId, statusCode, errorText, minAttempts, statuses].every((each) => each === undefined);
  const matchingMoves = (entry: JournalEntry) =>
    entry.deliveries.filter(({ change }) => statuses === undefined || statuses.includes(STATUSES[change]));

  const allEventIds = kinds.includes("event") && matchesEvents ? changes.flatMap((entry) => entry.eventIds) : [];
  const eventIds = eventId === undefined ? allEventIds : allEventIds.filter((id) => id === eventId);
  const attemptIds =
    kinds.includes("attempt") && statuses === undefined ? changes.flatMap((entry) => entry.attemptIds) : [];
  const deliveryIds = kinds.includes("delivery")
    ? changes.flatMap((entry) => matchingMoves(entry).flatMap(({ ids }) => ids))
    : [];
  const foundEvents = await findRows(eventIds, (ids) =>
    db.orm
      .select(eventColumns)
      .from(events)
      .where(and(anyOf(events.id, ids), ...allConditions(eventConditions(rowFilter)))),
  );
  const foundAttempts = await findRows(attemptIds, async (ids) => {
    const isFound = and(anyOf(attempts.id, ids), ...allConditions(attemptConditions(rowFilter)));
    return withEvents(db, await db.orm.select().from(attempts).where(isFound));
  });
  const foundDeliveries = await findRows(deliveryIds, (ids) =>
    db.orm
      .select()
      .from(deliveries)
      .where(and(anyOf(deliveries.id, ids), ...allConditions(deliveryConditions(rowFilter)))),
  );
  const steps = changes.map((entry) => ({
    messages: [
      ...toMessages(entry.eventIds, foundEvents, (event): TailMessage => ({ kind: "event", event })),
      ...toMessages(entry.attemptIds, foundAttempts, (attempt): TailMessage => ({ kind: "attempt", attempt })),
      ...matchingMoves(entry).flatMap(({ change, ids }) =>
        toMessages(ids, foundDeliveries, (delivery): TailMessage => {
          return { kind: "delivery", change, at: entry.at, delivery };
        }),
      ),
    ],
    position: entry.position,
  }));
  return { steps, next, isEnd, wasAhead };
}

const allConditions = ({ own, lookedUp }: Conditions): SQL[] => [...own, ...lookedUp];

/** @returns the rows by their ids. @param ids may name a delivery more than once. */
async function findRows<Row extends { id: string }>(
  ids: readonly string[],
  read: (ids: string[]) => Promise<Row[]>,
): Promise<Map<string, Row>> {
  const rows = ids.length === 0 ? [] : await read([...new Set(ids)]);
  return new Map(rows.map((row) => [row.id, row]));
}

/** @returns a message for each row that was found, in the order of ids, which is the order of time. */
function toMessages<Row>(
  ids: readonly string[],
  rows: Map<string, Row>,
  show: (row: Row) => TailMessage,
): TailMessage[] {
  return ids.toSorted().flatMap((id) => {
    const row = rows.get(id);
    return row === undefined ? [] : [show(row)];
  });
}
