// Pull targets for tests of the API: makes them, gives them due deliveries, and pulls.

import { newId, parseId } from "@sluice/shared/domain/ids";
import { readRevision } from "@sluice/store/connection/configuration-revision";
import { type NewDelivery, type NewEvent, storeEvents } from "@sluice/store/delivery/store-events";

import { makeDelivery, makeEvent, newLease } from "../seed.ts";
import type { Answer, CallOptions, TestApi } from "./test-api.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a test asserts about it.
type Json = any;

export async function createPullTarget(api: TestApi, changes: object = {}): Promise<Json> {
  const body = { kind: "pull", name: `pull-${newId()}`, subscribed_events: ["*"], ...changes };
  return (await api.call("POST", "/v1/targets", { body })).body;
}

/** Stores so many events, each with one delivery for the target, which is due. @returns the deliveries. */
export async function seedDue(
  api: TestApi,
  { id }: { id: string },
  count = 1,
  {
    event: ofEvent = {},
    delivery: ofDelivery = {},
  }: { event?: Partial<NewEvent>; delivery?: Partial<NewDelivery> } = {},
): Promise<NewDelivery[]> {
  const targetId = parseId("tgt", id, "id");
  const events = Array.from({ length: count }, () => makeEvent({ sourceId: api.geminiId, ...ofEvent }));
  const deliveries = events.map((event) => makeDelivery(event, targetId, ofDelivery));
  const stored = await storeEvents(api.db, await readRevision(api.db, "targets"), events, deliveries, newLease());
  if (stored.kind !== "stored") throw new Error("The events were not stored");
  return deliveries;
}

export const callVerb = (
  api: TestApi,
  { id }: { id: string },
  verb: "pull" | "ack" | "extend",
  body?: object,
  options?: CallOptions,
): Promise<Answer> => api.call("POST", `/v1/targets/${id}:${verb}`, { body, ...options });

/** @returns what a pull got. */
export async function pull(api: TestApi, target: { id: string }, body: object = {}): Promise<Json[]> {
  const answer = await callVerb(api, target, "pull", body);
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return answer.body.deliveries;
}

/** Ends the leases of all deliveries of a target, as time does. */
export async function endLeases(api: TestApi, { id }: { id: string }): Promise<void> {
  await api.db.pool.query(
    "UPDATE deliveries SET next_attempt_at = now() - interval '1 ms' WHERE target_id = $1 AND leased_by IS NOT NULL",
    [parseId("tgt", id, "id")],
  );
}
