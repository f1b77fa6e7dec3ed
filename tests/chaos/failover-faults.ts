// These faults let another server of a replicated Redis take over. Events that the relay has accepted may be in Redis
// only, so the server that takes over must have them.

import { setTimeout as delay } from "node:timers/promises";

import { findRedisServer } from "../support/redis-server.ts";
import { until } from "../support/wait.ts";
import { type Check, type Fault, TAKEOVER_LIMIT_MS } from "./fault.ts";
import { openBehindAddress, openInCluster, openUnderSentinel } from "./redis-setups.ts";
import { readStatus, type Stage, type StageOptions } from "./stage.ts";

/** The time in which events are accepted and no worker takes them out of Redis. */
const ONLY_IN_REDIS_MS = 2_000;

/** Stops the workers. They are started again when the fault is over. */
async function leaveEventsInRedis({ workers }: Stage): Promise<void> {
  await Promise.all(workers.map((worker) => worker.halt()));
  await delay(ONLY_IN_REDIS_MS);
}

async function startWorkers({ workers }: Stage): Promise<void> {
  await Promise.all(workers.map((worker) => worker.restart()));
}

async function isReady(readyUrl: string): Promise<boolean> {
  return (await readStatus(readyUrl)) === "ready";
}

/** A relay that uses Redis no more would lose no event either. It has to find the server that took over. */
function areReadyAgain({ readyUrls }: Stage): Check {
  return async (limitFactor) => {
    const timeoutMs = TAKEOVER_LIMIT_MS * limitFactor;
    const waits = readyUrls.map((url) => until(() => isReady(url), { timeoutMs }));
    const notReady = (await Promise.allSettled(waits)).filter(({ status }) => status === "rejected");
    return notReady.length === 0 ? [] : [`${notReady.length} gateways are not wholly ready after the fault`];
  };
}

async function failOver({ redis }: Stage): Promise<void> {
  if (redis.failOver === undefined) throw new Error("This Redis has no other server");
  await redis.failOver();
}

const setUp = (openRedis: NonNullable<StageOptions["openRedis"]>) => () =>
  findRedisServer() === undefined ? "no Redis is installed" : { options: { openRedis } };

export const failoverFaults: Fault[] = [
  {
    name: "sentinel-failover",
    about:
      "SENTINEL FAILOVER (a primary, 2 replicas, 3 Sentinels), with workers stopped so that events are in Redis only",
    prepare: setUp(openUnderSentinel),
    inject: async (stage) => {
      await leaveEventsInRedis(stage);
      await failOver(stage);
      return areReadyAgain(stage);
    },
    undo: startWorkers,
    recoverLimitMs: TAKEOVER_LIMIT_MS,
  },
  {
    name: "sentinel-kill",
    about: "kill -9 of the primary under 3 Sentinels, with workers stopped so that events are in Redis only",
    prepare: setUp(openUnderSentinel),
    inject: async (stage) => {
      await leaveEventsInRedis(stage);
      await stage.redis.end("SIGKILL");
      return areReadyAgain(stage);
    },
    undo: async (stage) => {
      await Promise.all([startWorkers(stage), stage.redis.start()]);
    },
    recoverLimitMs: TAKEOVER_LIMIT_MS,
  },
  {
    name: "redis-promoted-replica",
    about: "a replica is promoted behind an address that leaves old connections at the old primary, now a replica",
    prepare: setUp(openBehindAddress),
    inject: async (stage) => {
      await failOver(stage);
      return areReadyAgain(stage);
    },
    recoverLimitMs: TAKEOVER_LIMIT_MS,
  },
  {
    name: "cluster-master-kill",
    about: "kill -9 of the master of a Redis Cluster (3 masters, 3 replicas) that holds the relay's keys",
    prepare: setUp(openInCluster),
    inject: async (stage) => {
      await stage.redis.end("SIGKILL");
      return areReadyAgain(stage);
    },
    undo: async ({ redis }) => redis.start(),
    recoverLimitMs: TAKEOVER_LIMIT_MS,
  },
];
