// A Redis with replicas, each a server of its own, and the steps of a failover as an orchestrator takes them.

import { onTestFinished } from "vitest";

import { type OwnRedis, startOwnRedis } from "./redis.ts";
import { signalProcess } from "./stores.ts";
import { until } from "./wait.ts";

export interface ReplicatedRedis {
  primary: OwnRedis;
  replicas: OwnRedis[];
}

/** Resolves when every replica is online. The servers stop when the test has finished. */
export async function startReplicatedRedis(replicaCount: number): Promise<ReplicatedRedis> {
  const servers = await Promise.all(
    Array.from({ length: 1 + replicaCount }, async () => {
      const server = await startOwnRedis();
      const stop = () => {
        // A replica that writes its first append-only file refuses to end, and one that hangs does not hear of it.
        signalProcess(server.pid, "SIGKILL");
        return server.stop();
      };
      onTestFinished(stop);
      return { ...server, stop };
    }),
  );
  const [primary, ...replicas] = servers as [OwnRedis, ...OwnRedis[]];
  for (const replica of replicas) await follow(replica, primary);
  await until(async () => (await countOnline(primary)) === replicaCount, { what: "the replicas" });
  return { primary, replicas };
}

/** Makes a server a replica of another. */
export async function follow(server: OwnRedis, primary: OwnRedis): Promise<void> {
  const { hostname, port } = new URL(primary.url);
  await server.client.replicaof(hostname, port);
}

/** Makes a replica a primary. */
export async function promote(replica: OwnRedis): Promise<void> {
  await replica.client.replicaof("NO", "ONE");
}

/** The number of replicas that are online. */
export async function countOnline(primary: OwnRedis): Promise<number> {
  const info = await primary.client.info("replication");
  return info.match(/^slave\d+:.*state=online/gm)?.length ?? 0;
}
