// `since` and `until` compare the time that a list shows, whatever time is in the id.

import { describe, expect } from "vitest";

import { formatId, idFloor, newId } from "@sluice/shared/domain/ids";
import { ensurePartitions } from "@sluice/store/connection/partitions";
import { replayTo } from "@sluice/store/delivery/replay";

import { recordAttempt, seedEvent, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { makeDelivery, makeEvent } from "../../../../../tests/support/seed.ts";

const DAY_MS = 86_400_000;

const idAt = (ms: number) => idFloor(ms).slice(0, 14) + newId().slice(14);

const addMs = (time: string, ms: number) => new Date(Date.parse(time) + ms).toISOString();

/** Expects that exactly this row is in the millisecond that it shows, and in none beside it. */
async function expectFound(api: TestApi, path: string, id: string, shown: string) {
  const at = (ms: number) => addMs(shown, ms);
  const found = async (since: string, until: string) => {
    const { body } = await api.call("GET", `${path}&since=${since}&until=${until}`);
    return (body.data as { id: string }[]).map((row) => row.id);
  };
  for (const order of ["newest", "oldest"]) {
    path = path.replace(/order=\w+/, `order=${order}`);
    expect(await found(at(0), at(1)), `${path} at ${shown}`).toEqual([id]);
    expect(await found(at(1), at(DAY_MS))).toEqual([]);
    expect(await found(at(-DAY_MS), at(0))).toEqual([]);
  }
}

describe("since and until", () => {
  test.for([0, 5, 25_000])("find an event by received_at, with an id of %i ms later", async (ms, { api }) => {
    const receivedAtMs = Date.now() - 60_000;
    const { eventId, webhookId } = await seedEvent(api, [], { id: idAt(receivedAtMs + ms), receivedAtMs });
    const shown = new Date(receivedAtMs).toISOString();
    await expectFound(api, `/v1/events?order=newest&webhook_id=${webhookId}`, formatId("evt", eventId), shown);
    const source = newId();
    const other = await seedEvent(api, [], { id: idAt(receivedAtMs + ms), receivedAtMs, sourceId: source });
    const path = `/v1/events?order=newest&source=${formatId("src", source)}`;
    await expectFound(api, path, formatId("evt", other.eventId), shown);
  });

  test.for([0, 8_000, 50_000, DAY_MS, 3 * DAY_MS])(
    "find a delivery by created_at, and so does a bulk operation, when its event waited for %i ms",
    async (ms, { api }) => {
      await ensurePartitions(api.db, Date.now() - 4 * DAY_MS, Date.now());
      const target = newId();
      const id = idAt(Date.now() - ms);
      const { webhookId, deliveryIds } = await seedEvent(api, [target], { id, receivedAtMs: Date.now() - ms });
      const shownId = formatId("dlv", deliveryIds[0] ?? "");
      const { created_at: shown } = (await api.call("GET", `/v1/deliveries/${shownId}`)).body;
      for (const filter of [`target=${formatId("tgt", target)}`, `webhook_id=${webhookId}`])
        await expectFound(api, `/v1/deliveries?order=newest&${filter}`, shownId, shown);
      const count = async (since: number, until: number) => {
        const body = {
          target: formatId("tgt", target),
          since: addMs(shown, since),
          until: addMs(shown, until),
          status: ["pending"],
          dry_run: true,
        };
        return (await api.call("POST", "/v1/deliveries:retry", { body })).body.total;
      };
      expect([await count(0, 1), await count(1, DAY_MS), await count(-DAY_MS, 0)]).toEqual([1, 0, 0]);
    },
  );

  test("find a delivery that a replay made, by the time of the replay", async ({ api }) => {
    await ensurePartitions(api.db, Date.now() - 3 * DAY_MS, Date.now());
    const event = makeEvent({ id: idAt(Date.now() - 2 * DAY_MS), sourceId: newId() });
    await seedEvent(api, [], event);
    const replayed = makeDelivery(event, newId());
    await replayTo(api.db, [replayed], "free");
    const shownId = formatId("dlv", replayed.id);
    const { created_at: shown } = (await api.call("GET", `/v1/deliveries/${shownId}`)).body;
    await expectFound(api, `/v1/deliveries?order=newest&source=${formatId("src", event.sourceId)}`, shownId, shown);
  });

  test("find an attempt by started_at", async ({ api }) => {
    const { deliveryIds } = await seedEvent(api, [newId()], { sourceId: newId() });
    const [delivery = ""] = deliveryIds;
    const startedAtMs = Date.now() - 20_000;
    const id = idAt(startedAtMs + 12_345);
    await recordAttempt(api, delivery, { status: "succeeded" }, { id, startedAtMs });
    const path = `/v1/attempts?order=newest&delivery=${formatId("dlv", delivery)}`;
    await expectFound(api, path, formatId("att", id), new Date(startedAtMs).toISOString());
  });

  test("find an entry of the audit trail by created_at", async ({ api }) => {
    const body = { name: `shown-${newId()}`, uri: "http://billing.internal", subscribed_events: ["*"] };
    const { id } = (await api.call("POST", "/v1/targets", { body })).body;
    const path = `/v1/audit?order=newest&resource=${id}`;
    const [entry] = (await api.call("GET", path)).body.data;
    await expectFound(api, path, entry.id, entry.created_at);
  });
});
