// The live tail over real connections: a client sees what is written, in order, and misses nothing when it reconnects.

import { setTimeout as delay } from "node:timers/promises";

import { describe, expect, onTestFinished } from "vitest";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { readRevision } from "@sluice/store/connection/configuration-revision";
import type { Database } from "@sluice/store/connection/database";
import { storeEvents } from "@sluice/store/delivery/store-events";

import { type Relay, test } from "./support/relay.ts";
import { makeEvent, newLease } from "./support/seed.ts";
import { openEventStream } from "./support/server-sent-events.ts";
import { until } from "./support/wait.ts";

async function follow(relay: Relay, query = "", lastId?: string) {
  const stream = await openEventStream(`${relay.apiUrl}/v1/tail${query}`, relay.apiKey, lastId);
  onTestFinished(() => stream.cut());
  // The stream has its position now, so it misses nothing that is written from here on.
  await until(() => stream.lastId !== undefined || stream.status !== 200);
  return stream;
}

const idsOf = ({ messages }: { messages: { data: { id: string } }[] }) => messages.map(({ data }) => data.id);

describe("GET /v1/tail", () => {
  test("shows an event, each attempt and the outcome of the delivery, in this order", async ({ relay, receiver }) => {
    receiver.answerWith((_, index) => ({ status: index === 0 ? 503 : 200 }));
    const target = await relay.createTarget(receiver);
    const all = await follow(relay, `?source=gemini`);
    const finished = await follow(relay, `?status=succeeded&target=${target.id}`);
    const ofAnother = await follow(relay, `?webhook_id=msg_another`);
    expect(all.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(all.headers.get("content-encoding")).toBeNull();
    const { webhookId } = await relay.sendEvent();
    await until(() => finished.messages.length === 1);
    await until(() => all.messages.length === 5);
    expect(all.messages).toMatchObject([
      { event: "event", data: { webhook_id: webhookId, type: "batch.succeeded" } },
      { event: "delivery", data: { change: "created", delivery: { target: target.id } } },
      { event: "attempt", data: { number: 1, status_code: 503 } },
      { event: "attempt", data: { number: 2, status_code: 200 } },
      { event: "delivery", data: { change: "succeeded", delivery: { webhook_id: webhookId, attempt_count: 2 } } },
    ]);
    expect(all.messages[0]?.data).not.toHaveProperty("payload");
    expect(finished.messages).toEqual([expect.objectContaining({ event: "delivery" })]);

    const id: string = all.messages[1]?.data.delivery.id;
    await relay.call("POST", `/v1/deliveries/${id}:retry`);
    await until(() => finished.messages.length === 2);
    // Each connection reads by itself, so one may still wait for a message that another has got.
    await until(() => all.messages.length >= 6);
    expect(all.messages[5]).toMatchObject({ event: "delivery", data: { change: "retried", delivery: { id } } });
    expect(ofAnother.messages).toEqual([]);
  });

  test("shows the deliveries that are cancelled when their target is deleted", async ({ relay, receiver }) => {
    receiver.answerWith(() => ({ status: 500 }));
    const retry = { base_seconds: 60, cap_seconds: 60, horizon_seconds: 600 };
    await relay.createTarget(receiver, { retry });
    const stream = await follow(relay, "?status=cancelled");
    await relay.sendEvent();
    await receiver.waitFor(1);
    await relay.deleteTargets(receiver);
    await until(() => stream.messages.length === 1);
    expect(stream.messages[0]).toMatchObject({ data: { change: "cancelled", delivery: { status: "cancelled" } } });
  });

  test("misses and repeats nothing while much is written, commits come late and the client is cut off", async ({
    relay,
  }) => {
    const { db } = relay.database;
    const sourceId = newId();
    const written: string[] = [];
    const revision = await readRevision(db, "targets");
    // Each writer keeps its transaction open for a while after it has written, so that the commits come in another
    // order.
    const write = async (rounds: number) => {
      const client = await db.pool.connect();
      const transaction = { pool: client } as unknown as Database;
      for (let round = 0; round < rounds; round++) {
        const events = Array.from({ length: 5 }, () => makeEvent({ sourceId }));
        await client.query("BEGIN");
        await storeEvents(transaction, revision, events, [], newLease());
        await delay(Math.random() * 100);
        const isKept = Math.random() < 0.9;
        await client.query(isKept ? "COMMIT" : "ROLLBACK");
        if (isKept) written.push(...events.map(({ id }) => formatId("evt", id)));
      }
      client.release();
    };
    const query = `?source=${formatId("src", sourceId)}&kind=event`;
    const untouched = await follow(relay, query);
    const seen: string[][] = [];
    const state = { isWriting: true };
    const writing = Promise.all(Array.from({ length: 6 }, () => write(30))).then(() => (state.isWriting = false));
    let lastId = untouched.lastId;
    const start = lastId;
    while (state.isWriting || seen.length < 3) {
      const stream = await follow(relay, query, lastId);
      const enough = 1 + Math.floor(Math.random() * 60);
      await until(() => stream.messages.length >= enough || !state.isWriting);
      await stream.cut();
      lastId = stream.lastId;
      seen.push(idsOf(stream));
    }
    await writing;
    await until(() => untouched.messages.length >= written.length);
    // A client that resumes from the start gets everything, in several pages.
    const again = await follow(relay, query, start);
    const last = await follow(relay, query, lastId);
    await until(() => again.messages.length >= written.length);
    await until(() => new Set([...seen.flat(), ...idsOf(last)]).size >= written.length);
    const sorted = written.toSorted();
    expect(sorted.length).toBeGreaterThan(500);
    expect(idsOf(untouched).toSorted()).toEqual(sorted);
    expect(idsOf(again).toSorted()).toEqual(sorted);
    expect([...new Set([...seen.flat(), ...idsOf(last)])].toSorted()).toEqual(sorted);
    for (const ids of seen) expect(new Set(ids).size).toBe(ids.length);
  });

  test("ends when its gateway stops, which does not wait for it, and continues at another gateway", async ({
    relay,
  }) => {
    const gateway = await relay.startGateway();
    const stream = await openEventStream(`${gateway.apiUrl}/v1/tail`, relay.apiKey);
    await until(() => stream.lastId);
    await gateway.stop();
    await stream.ended;
    // The client continues at another gateway.
    const { webhookId } = await relay.sendEvent();
    const other = await follow(relay, "?kind=event", stream.lastId);
    await until(() => other.messages.length > 0);
    expect(other.messages).toMatchObject([{ data: { webhook_id: webhookId } }]);
  });
});
