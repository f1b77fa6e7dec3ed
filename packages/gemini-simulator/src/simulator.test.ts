// The simulator as a whole: it repeats a run by its seed, and holds ten thousand jobs.

import { expect, onTestFinished, test } from "vitest";

import { HOUR_MS, openSimulator } from "../../../tests/support/gemini-simulator.ts";
import { startReceiver } from "../../../tests/support/receiver.ts";

const JOBS = 10_000;
const ENDS = { batch: "succeeded", interaction: "completed", video: "generated" } as const;
const KINDS = ["batch", "interaction", "video"] as const;

/** A run of jobs of all kinds, of which a tenth is lost, a tenth late and a tenth twice. */
async function runJobs(seed: number, count: number) {
  const simulator = await openSimulator({ seed });
  const receiver = await startReceiver();
  onTestFinished(() => receiver.stop());
  await simulator.client.webhooks.create({
    uri: receiver.url,
    subscribed_events: ["batch.succeeded", "interaction.completed", "video.generated"],
  });
  simulator.faults.deliveries.add({ fault: { kind: "never" }, share: 0.1 });
  simulator.faults.deliveries.add({ fault: { kind: "late", delayMs: HOUR_MS }, share: 0.1 });
  simulator.faults.deliveries.add({ fault: { kind: "duplicate" }, share: 0.1 });
  for (let index = 0; index < count; index++) {
    const kind = KINDS[index % KINDS.length] ?? "batch";
    const job = simulator.jobs.start({ kind });
    simulator.jobs.move(job, { state: ENDS[kind] });
  }
  await simulator.clock.advance(HOUR_MS);
  return { simulator, receiver };
}

/** What was told by the simulator and what arrived, without the order of arrival. */
async function tellRun(seed: number) {
  const { simulator, receiver } = await runJobs(seed, 60);
  return {
    told: simulator.deliveries.list().map(({ webhookId, subject, state }) => [webhookId, subject, state]),
    received: receiver.requests.map(({ headers }) => String(headers["webhook-id"])).toSorted(),
  };
}

test("the same seed makes the same jobs, ids and faults, whatever order answers arrive in", async () => {
  const first = await tellRun(1);
  expect(await tellRun(1)).toEqual(first);
  expect(await tellRun(2)).not.toEqual(first);
});

/** The ids of a job and of its event, in a run without a seed. */
async function drawIds(): Promise<string[]> {
  const { jobs, deliveries } = await openSimulator();
  const job = jobs.start({ kind: "interaction", webhooks: { uris: ["http://127.0.0.1:1"] } });
  jobs.move(job, { state: "completed", fault: { kind: "never" } });
  return [job.name, ...deliveries.list().map(({ webhookId }) => webhookId)];
}

test("without a seed, two runs have no id in common, which a receiver would take for duplicates", async () => {
  expect(new Set([...(await drawIds()), ...(await drawIds())]).size).toBe(4);
});

test("ten thousand jobs of all kinds end, with every tenth event lost, late or twice", async () => {
  const { simulator, receiver } = await runJobs(7, JOBS);
  const deliveries = simulator.deliveries.list();
  expect(deliveries).toHaveLength(JOBS);
  expect(simulator.deliveries.countUnfinished()).toBe(0);
  const countOf = (kind: string) => deliveries.filter(({ fault }) => fault?.kind === kind).length;
  for (const kind of ["never", "late", "duplicate"]) expect(Math.abs(countOf(kind) - JOBS / 10)).toBeLessThan(150);
  expect(receiver.requests).toHaveLength(JOBS - countOf("never") + countOf("duplicate"));
  const webhookIds = new Set(receiver.requests.map(({ headers }) => headers["webhook-id"]));
  expect(webhookIds.size).toBe(JOBS - countOf("never"));
});
