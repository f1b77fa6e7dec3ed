// The queue on both of its stores: a job that is added is handled, one that fails is tried again and then kept, and one
// that is interrupted goes back into the queue without a failed try.

import { expect, onTestFinished, test } from "vitest";

import { type Handler, Interrupted } from "@sluice/queue/queue";

import { createTestDatabase } from "./support/database.ts";
import { openQueue } from "./support/queue.ts";
import { createQueueRedis, test as relayTest } from "./support/relay.ts";
import { makeQueuedEvent as event } from "./support/seed.ts";
import { until } from "./support/wait.ts";

/** Opens a queue that no relay uses. */
async function openOwnQueue() {
  const database = await createTestDatabase();
  const redis = await createQueueRedis();
  onTestFinished(async () => {
    await redis?.drop();
    await database.drop();
  });
  const { backend, producer } = await openQueue({ database, redisUrl: redis?.url });
  const consumers: { close: () => Promise<void> }[] = [];
  onTestFinished(async () => {
    await Promise.all(consumers.map((consumer) => consumer.close()));
  });
  return {
    producer,
    consumeIntake: (handler: Handler<"intake">) => consumers.push(backend.consume("intake", 2, handler)),
    consumeDeliver: (handler: Handler<"deliver">) => consumers.push(backend.consume("deliver", 2, handler)),
  };
}

test("a job is handled once, with the data that was added", async () => {
  const { producer, consumeIntake } = await openOwnQueue();
  const events = [event(), event({ contentType: "application/json", labels: { team: "é\u{1f600}" } })];
  await producer.add("intake", { events });
  await producer.add("intake", { events: [] });
  const seen: unknown[] = [];
  consumeIntake(async (job) => void seen.push(job));
  await until(() => seen.length === 2);
  expect(seen).toEqual([{ events }, { events: [] }]);
});

test("a job that fails is tried again", async () => {
  const { producer, consumeIntake } = await openOwnQueue();
  let starts = 0;
  consumeIntake(async () => {
    starts += 1;
    if (starts < 3) throw new Error("not yet");
  });
  await producer.add("intake", { events: [event()] });
  await until(() => starts === 3, { timeoutMs: 60_000 });
});

test("a job that failed for good is kept, and retryFailed starts it once more", async () => {
  const { producer, consumeIntake } = await openOwnQueue();
  let starts = 0;
  let isRepaired = false;
  let isDone = false;
  consumeIntake(async () => {
    starts += 1;
    if (!isRepaired) throw new Error("broken");
    isDone = true;
  });
  await producer.add("intake", { events: [event()] });
  const countFailed = async () => {
    const counts = await Promise.all(producer.setAside.map((store) => store.count()));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  /** Starts the job once, and asks again only while it is still set aside and not started. */
  const startOnceMore = async () => {
    const before = starts;
    await until(async () => {
      if ((await countFailed()) === 1 && starts === before) await producer.retryFailed("intake");
      return starts > before;
    });
  };
  await until(() => starts === 5, { timeoutMs: 60_000 });
  await startOnceMore();
  expect(starts).toBe(6);
  isRepaired = true;
  await startOnceMore();
  await until(() => isDone);
  expect(starts).toBe(7);
});

test("an interruption costs a job none of its starts", async () => {
  const { producer, consumeIntake } = await openOwnQueue();
  let starts = 0;
  let isDone = false;
  consumeIntake(async () => {
    starts += 1;
    // A job that fails this often would be set aside.
    if (starts <= 8) throw new Interrupted();
    isDone = true;
  });
  await producer.add("intake", { events: [event()] });
  await until(() => isDone, { timeoutMs: 60_000 });
  expect(starts).toBe(9);
});

test("no second job with the same key is added while the first waits, and a delay is kept", async () => {
  const { producer, consumeDeliver } = await openOwnQueue();
  const addedAt = Date.now();
  const wake = (targetId: string) => producer.add("deliver", { targetId }, { key: `at-${targetId}`, delayMs: 400 });
  await Promise.all([wake("a"), wake("a"), wake("b"), wake("a")]);
  const seen: { targetId: string; afterMs: number }[] = [];
  consumeDeliver(async ({ targetId }) => void seen.push({ targetId, afterMs: Date.now() - addedAt }));
  await until(() => seen.length === 2);
  expect(seen.map(({ targetId }) => targetId).toSorted()).toEqual(["a", "b"]);
  for (const { afterMs } of seen) expect(afterMs).toBeGreaterThanOrEqual(399);
  // The key is free when the job is done, a moment after its handler has ended.
  await until(async () => {
    await wake("a");
    return seen.length > 2;
  });
});

relayTest(
  "an event that PostgreSQL refuses is set aside alone, and the others of its batch are stored",
  async ({ relay }) => {
    const { producer } = await openQueue(relay);
    const good = [event(), event()];
    // The gateway queues no such event.
    const bad = event({ sourceId: "not a UUID" });
    await producer.add("intake", { events: [good[0] ?? bad, bad, good[1] ?? bad] });
    for (const { webhookId } of good) {
      await until(async () => (await relay.call("GET", `/v1/events?webhook_id=${webhookId}`)).data.length === 1);
    }
    await until(() => relay.logLines.some((line) => line.includes("job failed")), { timeoutMs: 60_000 });
  },
);
