// The ways in which a Redis with replicas is run, each with its own way to let another server take over.

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import type { ProcessGroup } from "../support/process-group.ts";
import { startProxy } from "../support/proxy.ts";
import { startRedisCluster, withNode } from "../support/redis-cluster.ts";
import { startRedisUnderSentinel } from "../support/redis-sentinel.ts";
import { startRedis, type Store } from "../support/stores.ts";
import { until } from "../support/wait.ts";
import type { RedisOnStage } from "./stage.ts";

const TAKEOVER_WAIT_MS = 30_000;
/** An orchestrator needs a while for its steps, and clients go on writing meanwhile. */
const BETWEEN_STEPS_MS = 500;

/** Makes a server a replica. */
function follow(replica: Store, { url }: Store): Promise<unknown> {
  const { hostname, port } = new URL(url);
  return withNode(replica.url, (client) => client.replicaof(hostname, port));
}

/** Resolves when a server has a replica that is in step. */
async function untilFollowed(primary: Store): Promise<void> {
  const readReplication = () => withNode(primary.url, (client) => client.info("replication"));
  await until(async () => /^slave\d+:.*state=online/m.test(await readReplication()), { what: "a replica in step" });
}

/**
 * A primary and a replica at one address, which sends new connections to the primary and leaves old ones where they
 * are, as a Kubernetes Service or HAProxy does.
 */
export async function openBehindAddress(directory: string, group: ProcessGroup): Promise<RedisOnStage> {
  const primary = await startRedis(join(directory, "node-0"), group);
  const replica = await startRedis(join(directory, "node-1"), group);
  await follow(replica, primary);
  await untilFollowed(primary);
  const address = await startProxy(primary.url, 0);
  return {
    ...primary,
    url: address.url,
    failOver: async () => {
      await withNode(replica.url, (client) => client.replicaof("NO", "ONE"));
      await delay(BETWEEN_STEPS_MS);
      address.redirect(replica.url);
      await delay(BETWEEN_STEPS_MS);
      await follow(primary, replica);
      await untilFollowed(replica);
    },
    stop: async () => {
      await address.cut();
      await Promise.all([primary.stop(), replica.stop()]);
    },
  };
}

/** A primary and two replicas under three Sentinels. */
export async function openUnderSentinel(directory: string, group: ProcessGroup): Promise<RedisOnStage> {
  const setup = await startRedisUnderSentinel(directory, group, { replicas: 2 });
  const { findMaster } = setup;
  const untilReplaced = async (old: Store) => {
    const timeoutMs = TAKEOVER_WAIT_MS;
    await until(findMaster, { accept: ({ url }) => url !== old.url, timeoutMs, what: "another primary" });
  };
  return {
    ...manageEnded(findMaster, untilReplaced),
    url: setup.url,
    directory,
    failOver: async () => {
      const old = await findMaster();
      await setup.beginFailover();
      await untilReplaced(old);
      await setup.waitUntilWell();
    },
    stop: setup.stop,
  };
}

/** A cluster of three masters with a replica each. All keys of the relay are on one master. */
export async function openInCluster(directory: string, group: ProcessGroup): Promise<RedisOnStage> {
  const setup = await startRedisCluster(directory, group);
  const findUsed = async () => {
    for (const node of setup.nodes) {
      const isUsed = await withNode(node.url, async (client) => {
        const [role] = (await client.role()) as [string];
        return role === "master" && (await client.dbsize()) > 0;
      }).catch(() => false);
      if (isUsed) return node;
    }
    throw new Error("No master of the cluster has a key");
  };
  const untilReplaced = async (old: Store) => {
    const timeoutMs = TAKEOVER_WAIT_MS;
    await until(findUsed, { accept: ({ url }) => url !== old.url, timeoutMs, what: "another master" });
  };
  return { ...manageEnded(findUsed, untilReplaced), url: setup.url, directory, stop: setup.stop };
}

/**
 * Acts on whichever server is the primary now.
 * @param untilReplaced resolves when another server is the primary.
 */
function manageEnded(findPrimary: () => Promise<Store>, untilReplaced: (old: Store) => Promise<void>) {
  let primary: Store | undefined;
  return {
    /** Ends the primary, and waits until another server has taken over. */
    end: async (signal: NodeJS.Signals) => {
      primary = await findPrimary();
      await primary.end(signal);
      await untilReplaced(primary);
    },
    ended: async () => primary?.ended(),
    /** Starts the server that was ended. */
    start: async () => primary?.start(),
    signalAll: async (signal: "SIGSTOP" | "SIGCONT") => (await findPrimary()).signalAll(signal),
  };
}
