import { expect, onTestFinished, test, vi } from "vitest";

import { RequestSlots } from "./request-slots.ts";

/** A lane with so many requests to send, which takes as many slots as it gets. */
function openLane(name: string, requests: number, slots: RequestSlots, sent: string[]) {
  const lane = { left: requests };
  const pump = () => {
    while (lane.left > 0 && slots.tryTake(pump)) {
      lane.left -= 1;
      sent.push(name);
    }
  };
  return { lane, pump };
}

test("at most so many requests are in flight, and lanes that wait get a slot each in turn", () => {
  const slots = new RequestSlots(2);
  const sent: string[] = [];
  const [long, short, third] = [
    openLane("long", 100, slots, sent),
    openLane("short", 1, slots, sent),
    openLane("third", 2, slots, sent),
  ];
  for (const { pump } of [long, short, third]) pump();
  expect(sent).toEqual(["long", "long"]);
  // A request of the lane with the long backlog ends, and the lane pumps afterwards, as lanes do.
  for (let ended = 0; ended < 5; ended++) {
    slots.giveBack();
    long.pump();
  }
  expect(sent.slice(2)).toEqual(["long", "short", "third", "long", "third"]);
  expect(slots.taken).toBe(2);
});

test("a lane without need lets the others have its turn", () => {
  const slots = new RequestSlots(1);
  const sent: string[] = [];
  const [first, second, third] = ["a", "b", "c"].map((name) => openLane(name, 1, slots, sent)) as [
    ReturnType<typeof openLane>,
    ReturnType<typeof openLane>,
    ReturnType<typeof openLane>,
  ];
  for (const { pump } of [first, second, third]) pump();
  second.lane.left = 0;
  slots.giveBack();
  expect(sent).toEqual(["a", "c"]);
});

test("a request that a person waits for needs no free slot, and counts", () => {
  const slots = new RequestSlots(1);
  slots.take();
  slots.take();
  const resume = vi.fn();
  slots.giveBack();
  expect(slots.tryTake(resume)).toBe(false);
  slots.giveBack();
  expect(resume).toHaveBeenCalledOnce();
});

test("after a fault of this worker nothing is sent for a second, then fewer at once, and more with each request", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const slots = new RequestSlots(100);
  const sent: string[] = [];
  const { pump } = openLane("lane", 1_000, slots, sent);
  pump();
  expect(slots.taken).toBe(100);
  for (let failed = 0; failed < 50; failed++) slots.giveBackUnsent();
  const resume = vi.fn();
  slots.onceOpen(resume);
  expect(slots.isOpen).toBe(false);
  for (let ended = 0; ended < 50; ended++) slots.giveBack();
  vi.advanceTimersByTime(999);
  pump();
  expect(slots.taken).toBe(0);
  vi.advanceTimersByTime(1);
  expect(slots.isOpen).toBe(true);
  expect(resume).toHaveBeenCalledOnce();
  // A half of the 100, and one more for each of the 50 that were sent since.
  expect(slots.taken).toBe(100);
  expect(vi.getTimerCount()).toBe(0);
});
