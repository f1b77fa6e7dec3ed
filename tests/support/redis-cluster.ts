// A Redis Cluster of real servers on loopback, each of which can be killed, hung and started again.

import { join } from "node:path";

import { Redis } from "ioredis";

import { claimPort } from "./ports.ts";
import type { ProcessGroup } from "./process-group.ts";
import { startRedis, type Store } from "./stores.ts";
import { until } from "./wait.ts";

const SLOTS = 16_384;
/** A master that is silent for so long counts as dead. On a busy machine, a healthy one is silent for a while. */
const NODE_TIMEOUT_MS = 2_000;

export interface ClusterOptions {
  /** Three at least, because a majority of the masters decides on a failover. */
  masters?: number;
  replicasPerMaster?: number;
  /** Settings of redis.conf for every node. */
  settings?: Record<string, string>;
  /** Settings of redis.conf with certificates. Clients and nodes then use TLS. */
  tls?: Record<string, string>;
}

export interface RedisCluster {
  /** The address for REDIS_URL, with every node. */
  url: string;
  /** The masters of the start come first. `url` of a node is its own address, as of a Redis without a cluster. */
  nodes: Store[];
  /** The node that is the master of a key now. @throws Error when no node can say. */
  findMaster: (key: string) => Promise<Store>;
  /** Resolves when all slots have a master, and each master has a replica that is in step, or there are none. */
  waitUntilWell: () => Promise<void>;
  /** Kills every node: a replica that has just got its data ignores SIGTERM, because it still writes them. */
  stop: () => Promise<void>;
}

/** @throws Error when this machine has no Redis. */
export async function startRedisCluster(
  directory: string,
  group: ProcessGroup,
  { masters = 3, replicasPerMaster = 1, settings = {}, tls }: ClusterOptions = {},
): Promise<RedisCluster> {
  const count = masters * (1 + replicasPerMaster);
  const nodes = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      // Given, because Redis would take the port of clients plus 10,000, which may be in use.
      const busPort = await claimPort();
      const tlsPort = await claimPort();
      const node = await startRedis(join(directory, `node-${index}`), group, {
        databases: "1",
        "cluster-enabled": "yes",
        "cluster-port": String(busPort),
        "cluster-node-timeout": String(NODE_TIMEOUT_MS),
        // However long a replica was cut off, it may take over.
        "cluster-replica-validity-factor": "0",
        "cluster-allow-replica-migration": "no",
        "repl-diskless-sync-delay": "0",
        ...(tls && { ...tls, "tls-port": String(tlsPort), "tls-cluster": "yes", "tls-replication": "yes" }),
        ...settings,
      });
      return { ...node, busPort, tlsPort };
    }),
  );
  const [first] = nodes;
  if (first === undefined) throw new Error("A cluster has a node at least");
  for (const [index, node] of nodes.entries()) {
    await ask(node, async (client) => {
      await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
      const port = tls === undefined ? Number(new URL(first.url).port) : first.tlsPort;
      await client.call("CLUSTER", "MEET", "127.0.0.1", port, first.busPort);
      if (index >= masters) return;
      const from = Math.floor((index * SLOTS) / masters);
      const to = Math.floor(((index + 1) * SLOTS) / masters) - 1;
      await client.call("CLUSTER", "ADDSLOTSRANGE", from, to);
    });
  }
  for (const [index, node] of nodes.entries()) {
    await until(async () => /cluster_known_nodes:(\d+)/.exec(await ask(node, readClusterInfo))?.[1], {
      accept: (known) => known === String(count),
      what: "every node to know every other",
    });
    const master = nodes[index % masters];
    if (index < masters || master === undefined) continue;
    const masterId = await idOf(master);
    await until(() => ask(node, (client) => client.call("CLUSTER", "REPLICATE", masterId)));
  }
  const isWell = async () => {
    const states = await Promise.all(
      nodes.map((node) =>
        ask(node, async (client) => ({
          cluster: await readClusterInfo(client),
          replication: await client.info("replication"),
        })),
      ),
    );
    return states.every(({ cluster, replication }) => {
      if (!cluster.includes("cluster_state:ok") || !cluster.includes(`cluster_slots_ok:${SLOTS}`)) return false;
      if (replication.includes("role:slave")) return replication.includes("master_link_status:up");
      return replicasPerMaster === 0 || /^slave\d+:.*state=online/m.test(replication);
    });
  };
  const waitUntilWell = async () => void (await until(isWell, { what: "a cluster that is well" }));
  await waitUntilWell();
  return {
    url: tls
      ? `rediss+cluster://${nodes.map(({ tlsPort }) => `127.0.0.1:${tlsPort}`).join(",")}`
      : `redis+cluster://${nodes.map(({ url }) => new URL(url).host).join(",")}`,
    nodes,
    findMaster: (key) => findMaster(nodes, key),
    waitUntilWell,
    stop: async () => void (await Promise.all(nodes.map((node) => node.end("SIGKILL")))),
  };
}

const ask = <T>(node: Store, question: (client: Redis) => Promise<T>) => withNode(node.url, question);

const idOf = (node: Store) => ask(node, async (client) => String(await client.call("CLUSTER", "MYID")));

async function findMaster(nodes: Store[], key: string): Promise<Store> {
  for (const { url } of nodes) {
    try {
      const port = await withNode(url, async (client) => {
        const slot = Number(await client.call("CLUSTER", "KEYSLOT", key));
        const ranges = (await client.call("CLUSTER", "SLOTS")) as [number, number, [string, number]][];
        return ranges.find(([from, to]) => from <= slot && slot <= to)?.[2][1];
      });
      const master = nodes.find((node) => new URL(node.url).port === String(port));
      if (master !== undefined) return master;
    } catch {
      // This node is away. Another one knows.
    }
  }
  throw new Error(`No node knows the master of ${key}`);
}

/** Redis gives a failover up after this time and tells nobody (CLUSTER_MF_TIMEOUT in its source). */
const FAILOVER_TIMEOUT_MS = 5000;

/** Makes a replica the master. A busy machine can miss Redis' own time for that, so it is asked again. */
export async function failOverTo(replica: Store): Promise<void> {
  let askAgainAt = 0;
  await until(
    () =>
      ask(replica, async (client) => {
        const [role] = (await client.call("ROLE")) as [string];
        if (role === "slave" && Date.now() >= askAgainAt) {
          await client.call("CLUSTER", "FAILOVER");
          askAgainAt = Date.now() + 2 * FAILOVER_TIMEOUT_MS;
        }
        return role;
      }),
    { accept: (role) => role === "master", what: "the replica to be the master" },
  );
}

const readClusterInfo = async (client: Redis) => String(await client.call("CLUSTER", "INFO"));

/** Asks one server on a connection of its own. @throws Error when the server is away. */
export async function withNode<T>(url: string, question: (client: Redis) => Promise<T>, password?: string): Promise<T> {
  const client = new Redis(url, {
    lazyConnect: true,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    ...(password !== undefined && { password }),
  });
  // The error of a question says the same.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await question(client);
  } finally {
    client.disconnect();
  }
}
