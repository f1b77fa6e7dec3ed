// Stores one event with a delivery for each target that it matches, in the transaction of the caller: an event that is
// injected, made by the relay, or made for a job whose webhook never came. Intake stores batches in its own way.

import { readFilterInput } from "@sluice/filter/input";
import { readJobEnd } from "@sluice/shared/domain/job-ends";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { loadSubscribers } from "../configuration/targets.ts";
import { holdRevision, readRevision } from "../connection/configuration-revision.ts";
import type { Connection } from "../connection/database.ts";
import { deliveryTo, isSubscribed } from "./fan-out.ts";
import { findEndEventId, findEventId } from "./ledger.ts";
import { chooseTargets } from "./replay.ts";
import { type NewEvent, storeEvents } from "./store-events.ts";

export type StoredEvent =
  /** The deliveries to these targets are due at once, and their lanes are to be woken after the transaction. */
  { kind: "stored"; targetIds: string[] } | { kind: "duplicate"; eventId: string };

/**
 * @param sourceName as filters see it.
 * @param onlyTo UUIDs of the targets that get the event, whatever they subscribe to; undefined for those that match.
 * @throws SluiceError `unavailable` when the event's dedupe key expired during the call.
 */
export async function storeMatched(
  tx: Connection,
  event: NewEvent,
  sourceName: string,
  onlyTo?: readonly string[],
): Promise<StoredEvent> {
  const input = readFilterInput(event, sourceName);
  for (let tries = 1; ; tries++) {
    // From the second time on, targets cannot change in between: a script may change one after the other all the time.
    if (tries > 1) await holdRevision(tx, "targets");
    const revision = await readRevision(tx, "targets");
    const subscribers = (await loadSubscribers(tx, onlyTo)).filter(isSubscribed);
    const { matched, filterErrors } = chooseTargets(event, () => input, subscribers, onlyTo === undefined);
    const stored = { ...event, filterErrors: filterErrors.length === 0 ? null : filterErrors };
    const deliveries = matched.map((target) => ({ ...deliveryTo(target, event), leased: false }));
    const result = await storeEvents(tx, revision, [stored], deliveries, { workerId: event.id, durationMs: 0 });
    // A target was changed after the subscribers were loaded: match again with the new ones.
    if (result.kind === "outdated") continue;
    if (result.freshEventIds.has(event.id)) return { kind: "stored", targetIds: matched.map(({ id }) => id) };
    const end = result.lateEventIds.has(event.id) ? readJobEnd(event.type, event.dataId) : null;
    const eventId =
      end === null
        ? await findEventId(tx, event.sourceId, event.webhookId)
        : await findEndEventId(tx, event.sourceId, end);
    if (eventId !== undefined) return { kind: "duplicate", eventId };
    // The event was a duplicate when it was stored, but its key in `event_keys` expired before it was read.
    const message = "An earlier event with this webhook_id expired during the request; send it again";
    throw new SluiceError("unavailable", message, { retryAfterSeconds: 1 });
  }
}
