// The spans of intake: one in the trace of each event, and where events were stored together one more for all of them, to
// which theirs are linked and which is linked to the events.

import { formatId } from "@sluice/shared/domain/ids";
import type { NewEvent } from "@sluice/store/delivery/store-events";
import type { Tracing } from "@sluice/tracing/tracing";

export interface IntakeTrace {
  events: readonly NewEvent[];
  /** The ids of the events that were not stored before. */
  fresh: ReadonlySet<string>;
  /** Of all events, also of those that are not fresh. */
  deliveries: readonly { eventId: string }[];
  startMs: number;
}

/** To be called when the events are stored. */
export function traceIntake(tracing: Tracing, { events, fresh, deliveries, startMs }: IntakeTrace): void {
  const endMs = Date.now();
  const counts = new Map<string, number>();
  for (const { eventId } of deliveries) counts.set(eventId, (counts.get(eventId) ?? 0) + 1);
  const batch =
    events.length === 1
      ? undefined
      : tracing.begin({
          name: "intake of a batch",
          kind: "consumer",
          parent: { kind: "none" },
          startMs,
          links: events.map(({ id }) => tracing.contextOf(id)),
          attributes: { "sluice.batch.events": events.length },
        });
  for (const { id, type, webhookId } of events) {
    const isFresh = fresh.has(id);
    const span = tracing.begin({
      name: "intake",
      kind: "consumer",
      parent: { kind: "event", eventId: id },
      startMs,
      links: batch === undefined ? [] : [batch.context],
      attributes: {
        "sluice.event.id": formatId("evt", id),
        "sluice.event.type": type ?? undefined,
        "sluice.webhook_id": webhookId,
        "sluice.duplicate": !isFresh,
        "sluice.deliveries": isFresh ? (counts.get(id) ?? 0) : 0,
      },
    });
    span.end(endMs, {});
  }
  batch?.end(endMs, {});
}
