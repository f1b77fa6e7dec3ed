// Batches, driven by the official client. A test is named after the fact of the live service that it keeps.

import type { BatchJob } from "@google/genai";
import { expect, test } from "vitest";

import {
  callGemini,
  HOUR_MS,
  openSimulator,
  PROMPT,
  type TestSimulator,
} from "../../../../tests/support/gemini-simulator.ts";

const MODEL = "gemini-3.8-flash";

const createInline = ({ client }: TestSimulator): Promise<BatchJob> =>
  client.batches.create({ model: MODEL, src: [{ contents: PROMPT }], config: { displayName: "nightly" } });

const createFromFile = ({ client }: TestSimulator): Promise<BatchJob> =>
  client.batches.create({ model: MODEL, src: "files/input" });

const move = ({ jobs }: TestSimulator, { name = "" }: BatchJob, state: string) => jobs.move(jobs.get(name), { state });

const read = ({ client }: TestSimulator, { name = "" }: BatchJob) => client.batches.get({ name });

test("a batch is an operation, from BATCH_STATE_PENDING to an end with its results", async () => {
  const simulator = await openSimulator();
  const [inline, fromFile] = [await createInline(simulator), await createFromFile(simulator)];
  expect(inline).toMatchObject({
    name: expect.stringMatching(/^batches\/[0-9a-z]{36}$/),
    displayName: "nightly",
    model: `models/${MODEL}`,
    state: "JOB_STATE_PENDING",
    createTime: "2026-01-22T12:00:00.000Z",
  });
  move(simulator, inline, "running");
  expect(await read(simulator, inline)).toMatchObject({ state: "JOB_STATE_RUNNING" });
  await simulator.clock.advance(HOUR_MS);
  for (const job of [inline, fromFile]) move(simulator, job, "succeeded");
  expect(await read(simulator, inline)).toMatchObject({
    state: "JOB_STATE_SUCCEEDED",
    endTime: "2026-01-22T13:00:00.000Z",
    dest: { inlinedResponses: [{ response: { candidates: [expect.anything()] } }] },
  });
  expect(await read(simulator, fromFile)).toMatchObject({
    dest: { fileName: expect.stringMatching(/^files\/batch-/) },
  });
});

test("a list without a page size has nothing", async () => {
  const simulator = await openSimulator();
  await createInline(simulator);
  expect((await simulator.client.batches.list()).page).toEqual([]);
  expect((await simulator.client.batches.list({ config: { pageSize: 10 } })).page).toHaveLength(1);
});

test("a list has the newest first, and its tokens stay valid while batches are added and deleted", async () => {
  const simulator = await openSimulator();
  const made: BatchJob[] = [];
  for (let index = 0; index < 5; index++) made.push(await createInline(simulator));
  const names = made.map(({ name }) => name);
  const first = await callGemini(simulator, "GET", "/v1beta/batches?pageSize=2");
  await createInline(simulator);
  await simulator.client.batches.delete({ name: names[3] ?? "" });
  const rest = `/v1beta/batches?pageSize=10&pageToken=${first.body.nextPageToken}`;
  const second = await callGemini(simulator, "GET", rest);
  const shown = [...first.body.operations, ...second.body.operations].map(({ name }: { name: string }) => name);
  expect(shown).toEqual([names[4], names[3], names[2], names[1], names[0]]);
  expect(second.body.nextPageToken).toBeUndefined();
  const all: (string | undefined)[] = [];
  for await (const { name } of await simulator.client.batches.list({ config: { pageSize: 2 } })) all.push(name);
  expect(all).toHaveLength(5);
});

test("a page has at most as many batches as the simulator is set to", async () => {
  const simulator = await openSimulator({ maxBatchPageSize: 3 });
  for (let index = 0; index < 4; index++) await createInline(simulator);
  expect((await callGemini(simulator, "GET", "/v1beta/batches?pageSize=1000")).body.operations).toHaveLength(3);
});

test("the states go up to BATCH_STATE_PARTIALLY_SUCCEEDED, which the client passes on as it is", async () => {
  const simulator = await openSimulator();
  const states: [string, string][] = [
    ["succeeded", "JOB_STATE_SUCCEEDED"],
    ["failed", "JOB_STATE_FAILED"],
    ["cancelled", "JOB_STATE_CANCELLED"],
    ["expired", "JOB_STATE_EXPIRED"],
    ["partially_succeeded", "BATCH_STATE_PARTIALLY_SUCCEEDED"],
  ];
  for (const [state, shown] of states) {
    const job = await createInline(simulator);
    move(simulator, job, state);
    expect((await read(simulator, job)).state).toBe(shown);
    expect(() => move(simulator, job, "running")).toThrow(`has already ended as ${state}`);
  }
  const job = await createInline(simulator);
  expect(() => move(simulator, job, "completed")).toThrow("a batch has no state completed");
});

test("a batch that has not ended after 48 hours expires, unless it is stuck", async () => {
  const simulator = await openSimulator();
  const job = await createInline(simulator);
  const stuck = simulator.jobs.start({ kind: "batch", expires: false });
  await simulator.clock.advance(48 * HOUR_MS - 1);
  expect((await read(simulator, job)).state).toBe("JOB_STATE_PENDING");
  await simulator.clock.advance(1);
  expect((await read(simulator, job)).state).toBe("JOB_STATE_EXPIRED");
  expect((await simulator.client.batches.get({ name: stuck.name })).state).toBe("JOB_STATE_PENDING");
});

test("the results of a batch are gone after two days", async () => {
  const simulator = await openSimulator();
  const job = await createFromFile(simulator);
  move(simulator, job, "succeeded");
  await simulator.clock.advance(48 * HOUR_MS - 1);
  expect((await read(simulator, job)).dest).toBeDefined();
  await simulator.clock.advance(1);
  const { state, dest } = await read(simulator, job);
  expect({ state, dest }).toEqual({ state: "JOB_STATE_SUCCEEDED", dest: undefined });
});

test("a batch can be absent from the list, and is still there", async () => {
  const simulator = await openSimulator();
  const job = await createInline(simulator);
  simulator.jobs.get(job.name ?? "").isHidden = true;
  expect((await simulator.client.batches.list({ config: { pageSize: 10 } })).page).toEqual([]);
  expect(await read(simulator, job)).toMatchObject({ name: job.name });
});

test("the client cancels and deletes a batch", async () => {
  const simulator = await openSimulator();
  const job = await createInline(simulator);
  const name = job.name ?? "";
  await simulator.client.batches.cancel({ name });
  expect((await read(simulator, job)).state).toBe("JOB_STATE_CANCELLED");
  await simulator.client.batches.delete({ name });
  await expect(read(simulator, job)).rejects.toMatchObject({ status: 404 });
});
