// Several relays may share one Redis: each delivers its own events only, also the ones that a version without
// identities left under keys which all relays shared.

import { readFileSync } from "node:fs";

import { type JobsOptions, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { describe, expect, inject, onTestFinished, test } from "vitest";

import { newId } from "@sluice/shared/domain/ids";
import { findSourceId } from "@sluice/store/configuration/sources";

import { createTestDatabase } from "./support/database.ts";
import { type Receiver, startReceiver } from "./support/receiver.ts";
import { createTestRedis, startOwnRedis } from "./support/redis.ts";
import { type Relay, startRelay } from "./support/relay.ts";
import { makeQueuedEvent } from "./support/seed.ts";
import { until } from "./support/wait.ts";

/** The prefix of a version without identities. */
const OLD_PREFIX = "sluice";
const LONG_MS = 3_600_000;

async function openRedis() {
  const redis = await createTestRedis();
  const client = new Redis(redis.url);
  onTestFinished(async () => {
    client.disconnect();
    await redis.drop();
  });
  return { url: redis.url, client };
}

async function openRelay(redisUrl: string, options: { withoutWorker?: boolean } = {}) {
  const database = await createTestDatabase();
  const relay = await startRelay(database, redisUrl, options);
  const receiver = await startReceiver();
  onTestFinished(async () => {
    await relay.stop();
    await receiver.stop();
    await database.drop();
  });
  const target = await relay.createTarget(receiver);
  // The API shows the id as a TypeID.
  const { rows } = await database.db.pool.query("SELECT id FROM targets");
  expect(rows).toHaveLength(1);
  return { relay, receiver, target, targetId: rows[0].id as string };
}

const idsAt = (receiver: Receiver) => new Set(receiver.requests.map(({ headers }) => String(headers["webhook-id"])));
const hasAll = (ids: string[]) => ({ accept: (seen: Set<string>) => ids.every((id) => seen.has(id)) });

async function sendByRedis(relay: Relay, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let sent = 0; sent < count; sent++) ids.push((await relay.sendUntilRedisTakes()).webhookId);
  return ids;
}

/** The jobs under the keys of a version without identities, as that version makes them. */
function openOldQueues(client: Redis) {
  const connection = client.duplicate({ maxRetriesPerRequest: null });
  const options = { prefix: OLD_PREFIX, connection };
  const queues = { intake: new Queue("intake", options), deliver: new Queue("deliver", options) };
  const workers: Worker[] = [];
  onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.close(true)));
    await Promise.all(Object.values(queues).map((queue) => queue.close()));
    connection.disconnect();
  });
  const startWorker = (lockDuration: number, handle?: () => Promise<void>) => {
    const worker = new Worker("intake", handle, { ...options, lockDuration, autorun: false });
    workers.push(worker);
    return worker;
  };
  const add = async (sourceId: string, jobOptions: JobsOptions = {}) => {
    const event = makeQueuedEvent({ sourceId });
    await queues.intake.add("intake", { events: [event] }, jobOptions);
    return event.webhookId;
  };
  return {
    ...queues,
    add,
    /** Adds a job that a worker takes and does not finish. @param lockMs how long the worker has it in hand. */
    addActive: async (sourceId: string, lockMs: number) => {
      const id = await add(sourceId);
      const job = await startWorker(lockMs).getNextJob(newId());
      expect(job?.data.events[0].webhookId).toBe(id);
      return id;
    },
    /** Adds a job that fails for good. */
    addFailed: async (sourceId: string) => {
      const id = await add(sourceId, { attempts: 1 });
      const worker = startWorker(LONG_MS, () => Promise.reject(new Error("not stored")));
      const before = await queues.intake.getFailedCount();
      void worker.run();
      await until(async () => (await queues.intake.getFailedCount()) > before);
      await worker.close();
      return id;
    },
  };
}

/**
 * Adds a job in every state for each source.
 * @returns for each source the ids of the events: one that a worker has in hand, and all others.
 */
async function addInEveryState(old: ReturnType<typeof openOldQueues>, sourceIds: string[]) {
  const made = sourceIds.map((sourceId) => ({ sourceId, inHand: "", free: [] as string[] }));
  // In this order, because the workers here take any job that waits.
  for (const { sourceId, free } of made) free.push(await old.addFailed(sourceId));
  for (const source of made) {
    source.free.push(await old.addActive(source.sourceId, 1));
    source.inHand = await old.addActive(source.sourceId, LONG_MS);
  }
  for (const { sourceId, free } of made) {
    for (const options of [{ delay: 1_000 }, { priority: 3 }, {}, {}]) free.push(await old.add(sourceId, options));
  }
  return made;
}

/** The events under the old keys, without jobs that are none of a relay. */
async function readOldEvents(client: Redis): Promise<string[]> {
  const keys = await client.keys("sluice:intake:*");
  const found = await Promise.all(
    keys.map(async (key) => {
      const data = (await client.type(key)) === "hash" ? await client.hget(key, "data") : null;
      return [...(data ?? "").matchAll(/"webhookId":"([^"]+)"/g)].map(([, id]) => id ?? "");
    }),
  );
  return found.flat().toSorted();
}

describe.runIf(inject("queue") === "redis")("one Redis", () => {
  test("for two relays: each delivers all of its own events, and none of the other's", async () => {
    const { url } = await openRedis();
    const [one, two] = [await openRelay(url), await openRelay(url)];
    const ofOne = await sendByRedis(one.relay, 20);
    const ofTwo = await sendByRedis(two.relay, 20);
    expect(await until(() => idsAt(one.receiver), hasAll(ofOne))).not.toContain(ofTwo[0]);
    await until(() => idsAt(two.receiver), hasAll(ofTwo));
    for (const id of ofTwo) expect(idsAt(one.receiver)).not.toContain(id);
    for (const id of ofOne) expect(idsAt(two.receiver)).not.toContain(id);
  });

  test("with jobs of an older version: own ones are moved and delivered, and others stay as they are", async () => {
    const { url, client } = await openRedis();
    const { relay, receiver, targetId } = await openRelay(url, { withoutWorker: true });
    const ownSource = await findSourceId(relay.database.db, "gemini");
    if (ownSource === undefined) throw new Error("There is no source gemini");
    const old = openOldQueues(client);
    const [own, foreign] = await addInEveryState(old, [ownSource, newId()]);
    if (own === undefined || foreign === undefined) throw new Error("Nothing was added");
    const staying = [own.inHand, foreign.inHand, ...foreign.free].toSorted();
    // Jobs of a program that is no relay at all.
    await old.intake.add("intake", "text");
    await client.hset("sluice:intake:broken", "data", "{");
    await client.lpush("sluice:intake:wait", "broken");
    const foreignTarget = newId();
    for (const id of [targetId, foreignTarget]) {
      await old.deliver.add("deliver", { targetId: id }, { delay: LONG_MS, jobId: `at-${id}-1` });
    }
    const before = await client.hgetall("sluice:intake:broken");
    expect(await old.intake.getJobCounts()).toMatchObject({ failed: 2, active: 4, delayed: 2, prioritized: 2 });

    const worker = await relay.startWorker();
    onTestFinished(worker.stop);
    await until(() => idsAt(receiver), hasAll(own.free));
    await until(() => readOldEvents(client), { accept: (ids) => ids.join() === staying.join() });
    await until(() => old.deliver.getDelayed(), {
      accept: (jobs) => jobs.map((job) => job.data.targetId as string).join() === foreignTarget,
    });
    expect(await client.hgetall("sluice:intake:broken")).toEqual(before);

    // A gateway of the older version still runs.
    const late = [await old.add(ownSource), await old.add(ownSource)];
    await until(() => idsAt(receiver), hasAll(late));
    await until(() => readOldEvents(client), { accept: (ids) => ids.join() === staying.join() });
    const seen = receiver.requests.map(({ headers }) => String(headers["webhook-id"])).toSorted();
    expect(seen).toEqual([...own.free, ...late].toSorted());
  });

  test("whose user has only what docs/redis.md allows is enough", async () => {
    const own = await startOwnRedis();
    onTestFinished(own.stop);
    const guide = readFileSync(new URL("../docs/redis.md", import.meta.url), "utf8");
    const [, name = "", rules = ""] = /^ACL SETUSER (\S+) (.*)$/m.exec(guide) ?? [];
    await own.client.call("ACL", "SETUSER", name, ...rules.split(" "));
    const url = new URL(own.url);
    [url.username, url.password] = [name, "password"];
    const { relay, receiver } = await openRelay(url.href);
    const ids = await sendByRedis(relay, 3);
    await until(() => idsAt(receiver), hasAll(ids));
    expect(await relay.readiness()).toMatchObject({ body: { status: "ready" } });
    expect(relay.logLines.filter((line) => line.includes("NOPERM"))).toEqual([]);
  });
});
