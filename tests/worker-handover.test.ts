// Workers start, stop and share the work. Every acknowledged event is delivered, and none is sent twice.

import { expect } from "vitest";

import type { Receiver } from "./support/receiver.ts";
import { relayTest } from "./support/relay.ts";
import { until } from "./support/wait.ts";

const test = relayTest({ withoutWorker: true });

const idsAt = (receiver: Receiver) => new Set(receiver.requests.map(({ headers }) => headers["webhook-id"]));

test("events that were acknowledged while no worker ran are delivered when one starts", async ({ relay, receiver }) => {
  await relay.createTarget(receiver);
  const sent = await Promise.all(Array.from({ length: 50 }, () => relay.sendEvent()));
  expect(receiver.requests).toHaveLength(0);
  const worker = await relay.startWorker();
  try {
    await receiver.waitFor(50);
    expect(idsAt(receiver)).toEqual(new Set(sent.map(({ webhookId }) => webhookId)));
  } finally {
    await worker.stop();
  }
});

test("a worker that is stopped in the middle leaves the rest to the next one", async ({ relay, receiver }) => {
  // From the 20th request on the receiver is slow, so that the stop comes in the middle however busy the machine is.
  receiver.answerWith(() => ({ status: 200, delayMs: receiver.requests.length < 20 ? 20 : 2_000 }));
  const target = await relay.createTarget(receiver, { max_in_flight: 4 });
  const first = await relay.startWorker();
  const sent = await Promise.all(Array.from({ length: 200 }, () => relay.sendEvent()));
  await receiver.waitFor(20);
  await first.stop();
  const delivered = idsAt(receiver).size;
  expect(delivered).toBeLessThan(200);
  receiver.answerWith(() => ({ status: 200 }));

  const second = await relay.startWorker();
  try {
    await until(() => idsAt(receiver).size, { accept: (size) => size === 200, what: "200 different events" });
    expect(idsAt(receiver)).toEqual(new Set(sent.map(({ webhookId }) => webhookId)));
    const path = `/v1/deliveries?target=${target.id}&limit=250&status=succeeded`;
    await until(() => relay.call("GET", path), { accept: ({ data }) => data.length === 200 });
    // A worker that is stopped, and not killed, finishes the attempts that it began, so nothing was sent twice.
    expect(receiver.requests).toHaveLength(200);
  } finally {
    await second.stop();
  }
});

test("two workers share the work and send nothing twice", async ({ relay, receiver }) => {
  const target = await relay.createTarget(receiver);
  const workers = [await relay.startWorker(), await relay.startWorker()];
  try {
    for (let round = 0; round < 4; round++) await Promise.all(Array.from({ length: 50 }, () => relay.sendEvent()));
    await receiver.waitFor(200);
    const path = `/v1/deliveries?target=${target.id}&limit=250&status=succeeded`;
    await until(() => relay.call("GET", path), { accept: ({ data }) => data.length === 200 });
    expect(receiver.requests).toHaveLength(200);
    expect(idsAt(receiver).size).toBe(200);
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
});
