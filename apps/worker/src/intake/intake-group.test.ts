import type { JobData } from "@sluice/queue/jobs";
import { expect, test } from "vitest";

import { makeQueuedEvent } from "../../../../tests/support/seed.ts";
import { IntakeGroup } from "./intake-group.ts";
import type { StoreOutcome } from "./intake.ts";

type Job = JobData["intake"];

interface Call {
  webhookIds: string[];
  isGroup: boolean;
  end: PromiseWithResolvers<StoreOutcome>;
}

/** A group whose statements end when the test says so. */
function open() {
  const calls: Call[] = [];
  const call = (events: Job["events"], isGroup: boolean) => {
    const end = Promise.withResolvers<StoreOutcome>();
    calls.push({ webhookIds: events.map(({ webhookId }) => webhookId), isGroup, end });
    return end.promise;
  };
  const group = new IntakeGroup({
    storeAll: (events) => call(events, true),
    takeIn: ({ events }) => call(events, false).then(() => undefined),
  });
  return { group, calls };
}

const jobOf = (...webhookIds: string[]): Job => ({
  events: webhookIds.map((id) => makeQueuedEvent({ webhookId: id })),
});

const jobWith = (count: number): Job => jobOf(...Array.from({ length: count }, (_, n) => String(n)));

const STORED: StoreOutcome = { kind: "stored" };

/** Jobs that are each in a statement of their own, so that what comes next waits. */
const FIRST = ["a", "b"];

function occupy(group: IntakeGroup) {
  return FIRST.map((id) => group.add(jobOf(id)));
}

test("a job goes at once and alone; those that come while two are under way go together", async () => {
  const { group, calls } = open();
  const first = occupy(group);
  const rest = [group.add(jobOf("e", "f")), group.add(jobOf("g"))];
  expect(calls.map(({ webhookIds, isGroup }) => [webhookIds, isGroup])).toEqual(FIRST.map((id) => [[id], false]));
  calls[1]?.end.resolve(STORED);
  await first[1];
  await expect.poll(() => calls[2]?.webhookIds).toEqual(["e", "f", "g"]);
  expect(calls[2]?.isGroup).toBe(true);
  calls[2]?.end.resolve(STORED);
  await Promise.all(rest);
});

test("a group with an event at fault is taken job by job, and only the job at fault fails", async () => {
  const { group, calls } = open();
  void occupy(group);
  const rest = [group.add(jobOf("good")), group.add(jobOf("bad"))].map((job) => job.then(() => "done", String));
  calls[0]?.end.resolve(STORED);
  await expect.poll(() => calls.length).toBe(3);
  calls[2]?.end.resolve({ kind: "at_fault", faults: new Map() });
  await expect.poll(() => calls[3]?.webhookIds).toEqual(["good"]);
  calls[3]?.end.resolve(STORED);
  await expect.poll(() => calls[4]?.webhookIds).toEqual(["bad"]);
  calls[4]?.end.reject(new Error("23514"));
  expect(await Promise.all(rest)).toEqual(["done", "Error: 23514"]);
});

test("what ends a group otherwise ends each of its jobs", async () => {
  const { group, calls } = open();
  void occupy(group);
  const rest = [group.add(jobOf("e")), group.add(jobOf("f"))].map((job) => job.then(() => "done", String));
  calls[0]?.end.resolve(STORED);
  await expect.poll(() => calls.length).toBe(3);
  calls[2]?.end.reject(new Error("stopping"));
  expect(await Promise.all(rest)).toEqual(["Error: stopping", "Error: stopping"]);
});

test("an event that is in two jobs is stored once, and what is no event is left for the statement to refuse", async () => {
  const taken: unknown[][] = [];
  const first = Promise.withResolvers<void>();
  const take = async (events: unknown[]) => {
    taken.push(events);
    if (taken.length <= FIRST.length) await first.promise;
  };
  const group = new IntakeGroup({
    storeAll: (events) => take(events).then(() => STORED),
    takeIn: ({ events }) => take(events),
  });
  const twice = makeQueuedEvent();
  const jobs = [
    ...occupy(group),
    group.add({ events: [twice] }),
    group.add({ events: [twice, null as never, null as never] }),
  ];
  first.resolve();
  await Promise.all(jobs);
  expect(taken[2]).toEqual([twice, null, null]);
});

test("a group has at most 200 events and 2 MiB, and a job above that goes alone", async () => {
  const { group, calls } = open();
  void occupy(group);
  const large = { events: [makeQueuedEvent({ webhookId: "large", body: "A".repeat(3 * 1024 * 1024) })] };
  for (const job of [jobWith(120), jobWith(80), jobWith(1), large, jobWith(1)]) void group.add(job);
  const groupSizes = () => {
    for (const { end } of calls) end.resolve(STORED);
    return calls.slice(FIRST.length).map(({ webhookIds }) => webhookIds.length);
  };
  await expect.poll(groupSizes).toEqual([200, 1, 1, 1]);
});
