// What can go wrong with events on their way, at a real receiver.

import { expect, onTestFinished, test } from "vitest";

import { HOUR_MS, openSimulator } from "../../../../tests/support/gemini-simulator.ts";
import { type Receiver, startReceiver } from "../../../../tests/support/receiver.ts";
import { Seeded } from "../seeded.ts";
import { type DeliveryFault, DeliveryFaults } from "./delivery-faults.ts";

async function openFaulty() {
  const simulator = await openSimulator();
  const receiver = await startReceiver();
  onTestFinished(() => receiver.stop());
  simulator.webhooks.create("default", {
    name: undefined,
    uri: receiver.url,
    subscribedEvents: ["interaction.completed"],
  });
  const end = (fault?: DeliveryFault) => {
    const job = simulator.jobs.start({ kind: "interaction" });
    simulator.jobs.move(job, { state: "completed", fault });
    return job.id;
  };
  return { simulator, receiver, end };
}

const idsOf = ({ requests }: Receiver) => requests.map(({ body }) => JSON.parse(body.toString()).data.id as string);
const webhookIdsOf = ({ requests }: Receiver) => requests.map(({ headers }) => headers["webhook-id"]);

test("never: the job ends, and nothing is sent", async () => {
  const { simulator, receiver, end } = await openFaulty();
  end({ kind: "never" });
  await simulator.clock.advance(48 * HOUR_MS);
  expect(receiver.requests).toEqual([]);
  expect(simulator.deliveries.list()[0]?.state).toBe("never");
});

test("late: the first attempt is made after the delay", async () => {
  const { simulator, receiver, end } = await openFaulty();
  const id = end({ kind: "late", delayMs: HOUR_MS });
  await simulator.clock.advance(HOUR_MS - 1);
  expect(receiver.requests).toEqual([]);
  await simulator.clock.advance(1);
  expect(idsOf(receiver)).toEqual([id]);
});

test("duplicate: the event comes several times, with one webhook-id", async () => {
  const { simulator, receiver, end } = await openFaulty();
  end({ kind: "duplicate", copies: 2 });
  await simulator.clock.settle();
  expect(receiver.requests).toHaveLength(3);
  expect(new Set(webhookIdsOf(receiver)).size).toBe(1);
  expect(simulator.deliveries.list()[0]?.state).toBe("succeeded");
});

test("lost answer: the receiver took the event, and gets it again as a retry", async () => {
  const { simulator, receiver, end } = await openFaulty();
  end({ kind: "lost_answer" });
  await simulator.clock.settle();
  expect([receiver.requests.length, simulator.deliveries.list()[0]?.state]).toEqual([1, "waiting"]);
  await simulator.clock.advance(HOUR_MS);
  expect(receiver.requests).toHaveLength(2);
  expect(new Set(webhookIdsOf(receiver)).size).toBe(1);
});

test("out of order: the event comes after the next one, or when held events are released", async () => {
  const { simulator, receiver, end } = await openFaulty();
  const first = end({ kind: "out_of_order" });
  await simulator.clock.settle();
  const second = end();
  await simulator.clock.settle();
  expect(idsOf(receiver)).toEqual([second, first]);
  const last = end({ kind: "out_of_order" });
  simulator.deliveries.releaseHeld();
  await simulator.clock.settle();
  expect(idsOf(receiver)).toEqual([second, first, last]);
});

/** The faults of ten thousand events, of which each of three rules takes a tenth. */
function drawTenths(seed: number) {
  const faults = new DeliveryFaults(new Seeded(seed));
  faults.add({ fault: { kind: "never" }, share: 0.1 });
  faults.add({ fault: { kind: "late", delayMs: 1 }, share: 0.1 });
  faults.add({ fault: { kind: "duplicate" }, share: 0.1 });
  return Array.from({ length: 10_000 }, (_, index) => faults.draw({ type: "t", subject: `job-${index}` })?.kind);
}

test("rules take their shares of the events, never two for one event, and the same events with the same seed", () => {
  const drawn = drawTenths(1);
  for (const kind of ["never", "late", "duplicate"])
    expect(Math.abs(drawn.filter((each) => each === kind).length - 1_000)).toBeLessThan(150);
  expect(drawTenths(1)).toEqual(drawn);
  expect(drawTenths(2)).not.toEqual(drawn);
});

test("a rule can be for one type or one job, for so many events, and ends when the faults are cleared", () => {
  const faults = new DeliveryFaults(new Seeded(1));
  faults.add({ fault: { kind: "never" }, type: "batch.failed", times: 1 });
  faults.add({ fault: { kind: "lost_answer" }, job: "job-1" });
  const draw = (type: string, subject: string) => faults.draw({ type, subject })?.kind;
  expect(draw("batch.succeeded", "job-2")).toBeUndefined();
  expect(draw("batch.failed", "job-1")).toBe("never");
  expect(draw("batch.failed", "job-1")).toBe("lost_answer");
  expect(draw("batch.failed", "job-2")).toBeUndefined();
  faults.clear();
  expect(draw("batch.failed", "job-1")).toBeUndefined();
});
