import { describe, expect, onTestFinished, test, vi } from "vitest";

import type { QueuedEvent } from "@sluice/queue/jobs";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { Batcher, type BatcherOptions } from "./batcher.ts";

const event = (id: string, bytes = 10): QueuedEvent => ({
  id,
  sourceId: "source",
  webhookId: id,
  scheme: "v1",
  receivedAtMs: 0,
  contentType: null,
  body: "a".repeat(bytes),
});

/** A batcher over a store that confirms a job when the test says so. */
function controlledStore(options: Partial<BatcherOptions> = {}) {
  const adds: { ids: string[]; settle: PromiseWithResolvers<void> }[] = [];
  let isOver = false;
  onTestFinished(() => {
    isOver = true;
    for (const { settle } of adds) settle.resolve();
  });
  const batcher = new Batcher(
    (events) => {
      const settle = Promise.withResolvers<void>();
      adds.push({ ids: events.map(({ id }) => id), settle });
      if (isOver) settle.resolve();
      return settle.promise;
    },
    { deadlineMs: 60_000, maxBodyBytes: 1024 * 1024, spacingMs: 0, ...options },
  );
  return { adds, batcher, sizes: () => adds.map(({ ids }) => ids.length) };
}

const numbered = (count: number, bytes?: number) => Array.from({ length: count }, (_, i) => event(`e${i}`, bytes));

describe("a batch", () => {
  test("with one event starts at once, and events that arrive meanwhile travel together", async () => {
    const { adds, batcher } = controlledStore();
    const first = batcher.add(event("a"));
    const second = batcher.add(event("b"));
    const third = batcher.add(event("c"));
    expect(adds.map(({ ids }) => ids)).toEqual([["a"]]);
    adds[0]?.settle.resolve();
    await first;
    expect(adds.map(({ ids }) => ids)).toEqual([["a"], ["b", "c"]]);
    adds[1]?.settle.resolve();
    await Promise.all([second, third]);
  });

  test("does not start right after the one before it, unless it is full", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { adds, batcher, sizes } = controlledStore({ spacingMs: 10 });
    const first = batcher.add(event("first"));
    adds[0]?.settle.resolve();
    await first;
    void batcher.add(event("a"));
    await vi.advanceTimersByTimeAsync(9);
    void batcher.add(event("b"));
    expect(sizes()).toEqual([1]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sizes()).toEqual([1, 2]);
    adds[1]?.settle.resolve();
    for (const each of numbered(100)) void batcher.add(each);
    expect(sizes()).toEqual([1, 2, 100]);
  });

  test("starts at once when the last one started long enough ago", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { adds, batcher, sizes } = controlledStore({ spacingMs: 10 });
    void batcher.add(event("a"));
    adds[0]?.settle.resolve();
    await vi.advanceTimersByTimeAsync(10);
    void batcher.add(event("b"));
    expect(sizes()).toEqual([1, 1]);
  });

  test("is answered only when it is durable", async () => {
    const { adds, batcher } = controlledStore();
    let answered = false;
    const added = batcher.add(event("a")).finally(() => {
      answered = true;
    });
    await Promise.resolve();
    expect(answered).toBe(false);
    adds[0]?.settle.resolve();
    await added;
    expect(answered).toBe(true);
  });

  test("has at most 100 events, and full batches do not wait for each other", () => {
    const { batcher, sizes } = controlledStore();
    for (const each of numbered(251)) void batcher.add(each);
    expect(sizes()).toEqual([1, 100, 100]);
  });

  test("has at most 1 MiB, and a larger event travels alone", () => {
    const { adds, batcher } = controlledStore();
    void batcher.add(event("first"));
    void batcher.add(event("large", 3 * 1024 * 1024));
    void batcher.add(event("b", 600 * 1024));
    void batcher.add(event("c", 600 * 1024));
    expect(adds.map(({ ids }) => ids)).toEqual([["first"], ["large"], ["b"]]);
  });

  test("that fails refuses all of its events and none of the next batch", async () => {
    const { adds, batcher } = controlledStore();
    const first = batcher.add(event("a"));
    const [second, third] = [batcher.add(event("b")), batcher.add(event("c"))];
    adds[0]?.settle.resolve();
    await first;
    adds[1]?.settle.reject(new Error("away"));
    const fourth = batcher.add(event("d"));
    await expect(second).rejects.toThrow("away");
    await expect(third).rejects.toThrow("away");
    adds[2]?.settle.resolve();
    await fourth;
  });
});

test("above the limit of waiting events, the sender is told to come back", async () => {
  const { batcher } = controlledStore();
  for (const each of numbered(70, 1024 * 1024)) batcher.add(each).catch(() => undefined);
  await expect(batcher.add(event("one too many", 1024 * 1024))).rejects.toMatchObject({
    code: "unavailable",
    retryAfterSeconds: 1,
  });
});

test("the largest event fits in while other events wait", async () => {
  const { adds, batcher } = controlledStore({ maxBodyBytes: 64 * 1024 * 1024 });
  const waits = ["in flight", "waiting"].map((id) => batcher.add(event(id)));
  const largest = batcher.add(event("largest", Math.ceil((64 * 1024 * 1024) / 3) * 4));
  adds[0]?.settle.resolve();
  await waits[0];
  adds[1]?.settle.resolve();
  adds[2]?.settle.resolve();
  await Promise.all([...waits, largest]);
});

describe("a store that hangs", () => {
  test("keeps no event past its deadline, under way or waiting, and frees its memory", async () => {
    const { adds, batcher } = controlledStore({ deadlineMs: 50 });
    const all = [event("in flight"), ...numbered(60, 1024 * 1024)].map((each) => batcher.add(each));
    for (const answer of await Promise.allSettled(all)) {
      expect(answer).toMatchObject({ status: "rejected", reason: { code: "unavailable", retryAfterSeconds: 5 } });
    }
    // The batches under way still hang, and later events have deadlines of their own.
    const next = numbered(60, 1024 * 1024).map((each) => batcher.add(each));
    const started = adds.length;
    for (const { settle } of adds) settle.resolve();
    await expect.poll(() => adds.length).toBeGreaterThan(started);
    for (const answer of await Promise.allSettled(next)) expect(answer.status).toBe("rejected");
  });

  test("keeps each event until its own deadline, even when an earlier event came before it", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { adds, batcher } = controlledStore({ deadlineMs: 100 });
    const late: string[] = [];
    const add = (id: string) => batcher.add(event(id)).catch(() => late.push(id));
    const first = add("first");
    await vi.advanceTimersByTimeAsync(40);
    adds[0]?.settle.resolve();
    await first;
    void add("in flight");
    await vi.advanceTimersByTimeAsync(30);
    void add("waiting");
    await vi.advanceTimersByTimeAsync(69);
    expect(late).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(late).toEqual(["in flight"]);
    await vi.advanceTimersByTimeAsync(30);
    expect(late).toEqual(["in flight", "waiting"]);
    // No timer is left, so a gateway could end now.
    expect(vi.getTimerCount()).toBe(0);
  });

  test("counts the time before an event came to the batch, in whatever order the events come", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { adds, batcher } = controlledStore({ deadlineMs: 100 });
    const late: string[] = [];
    const add = (id: string, agoMs: number) =>
      batcher.add(event(id), performance.now() - agoMs).catch(() => late.push(id));
    void add("in flight", 0);
    void add("slow to check", 60);
    void add("quick to check", 10);
    await vi.advanceTimersByTimeAsync(39);
    expect(late).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(late).toEqual(["slow to check"]);
    await vi.advanceTimersByTimeAsync(50);
    expect(late).toEqual(["slow to check", "quick to check"]);
    await vi.advanceTimersByTimeAsync(10);
    expect(late).toEqual(["slow to check", "quick to check", "in flight"]);
    // Its time was over before: no store gets it.
    await add("too late", 100);
    expect(late).toHaveLength(4);
    expect(adds).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("ends the wait of all events when one job finds that it is away", async () => {
    const { adds, batcher } = controlledStore();
    const [first, ...waiting] = numbered(50).map((each) => batcher.add(each));
    adds[0]?.settle.reject(new SluiceError("unavailable", "away", { retryAfterSeconds: 5 }));
    for (const answer of await Promise.allSettled([first, ...waiting])) {
      expect(answer).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
    }
    expect(adds.length).toBe(1);
    const next = batcher.add(event("next"));
    for (const { settle } of adds) settle.resolve();
    await expect.poll(() => adds.at(-1)?.ids).toEqual(["next"]);
    adds.at(-1)?.settle.resolve();
    await next;
  });
});
