// A Redis with replicas under real Sentinels on loopback. Each process can be killed, hung and started again.

import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { claimPort } from "./ports.ts";
import type { ProcessGroup } from "./process-group.ts";
import { withNode } from "./redis-cluster.ts";
import { findRedisServer } from "./redis-server.ts";
import { signalProcess, startRedis, type Store } from "./stores.ts";
import { until } from "./wait.ts";

/** The name under which the sentinels watch the master. */
const MASTER_NAME = "sluice";
/** The sentinels hold a silent master for dead after this time. */
const DOWN_AFTER_MS = 2_000;

export interface SentinelOptions {
  replicas?: number;
  /** An odd number, a majority of which decides. */
  sentinels?: number;
  /** Settings of redis.conf for the master and the replicas. */
  settings?: Record<string, string>;
  /** The password of the master and the replicas. */
  password?: string;
  /** The password of the sentinels. */
  sentinelPassword?: string;
}

interface SentinelProcess {
  /** The address of the sentinel itself, without a password. */
  url: string;
  end: (signal: NodeJS.Signals) => Promise<void>;
  start: () => Promise<void>;
}

export interface RedisUnderSentinel {
  /** The address for REDIS_URL, with every sentinel and the passwords. */
  url: string;
  /** The master of the start comes first. */
  nodes: Store[];
  sentinels: SentinelProcess[];
  /** The node that is the master now, as the sentinels say. @throws Error when no sentinel answers. */
  findMaster: () => Promise<Store>;
  /** Begins a planned failover. */
  beginFailover: () => Promise<void>;
  /** Resolves when one node is the master, and every other is in step with it. */
  waitUntilWell: () => Promise<void>;
  /** Kills every process: a replica that has just got its data ignores SIGTERM, because it still writes them. */
  stop: () => Promise<void>;
}

/** @throws Error when this machine has no Redis. A Sentinel is the same program. */
export async function startRedisUnderSentinel(
  directory: string,
  group: ProcessGroup,
  { replicas = 1, sentinels: sentinelCount = 3, settings = {}, password, sentinelPassword }: SentinelOptions = {},
): Promise<RedisUnderSentinel> {
  const common = {
    "repl-diskless-sync-delay": "0",
    ...(password !== undefined && { requirepass: password, masterauth: password }),
    ...settings,
  };
  const master = await startRedis(join(directory, "node-0"), group, common);
  const { port } = new URL(master.url);
  const others = await Promise.all(
    Array.from({ length: replicas }, (_, index) =>
      startRedis(join(directory, `node-${index + 1}`), group, { ...common, replicaof: `127.0.0.1 ${port}` }),
    ),
  );
  const nodes = [master, ...others];
  const inStep = async () => {
    const infos = await Promise.all(
      nodes.map(({ url }) => withNode(url, (client) => client.info("replication"), password)),
    );
    const followers = infos.filter((info) => info.includes("role:slave"));
    return followers.length === replicas && followers.every((info) => info.includes("master_link_status:up"));
  };
  await until(inStep, { what: "replicas in step" });
  const lines = [
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${port} ${Math.floor(sentinelCount / 2) + 1}`,
    `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
    // After a failover that failed, the sentinels wait for twice this time before the next one.
    `sentinel failover-timeout ${MASTER_NAME} 5000`,
    ...(password === undefined ? [] : [`sentinel auth-pass ${MASTER_NAME} ${JSON.stringify(password)}`]),
    ...(sentinelPassword === undefined ? [] : [`requirepass ${JSON.stringify(sentinelPassword)}`]),
  ];
  const sentinels = await Promise.all(
    Array.from({ length: sentinelCount }, (_, index) =>
      startSentinel(join(directory, `sentinel-${index}`), lines, sentinelPassword, group),
    ),
  );
  const askSentinels = async (words: string[]): Promise<unknown> => {
    let failure: unknown;
    for (const { url } of sentinels) {
      try {
        const [command = "", ...rest] = words;
        return await withNode(url, (client) => client.call(command, ...rest), sentinelPassword);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  };
  const findMaster = async () => {
    const [, masterPort] = (await askSentinels(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME])) as string[];
    const found = nodes.find(({ url }) => new URL(url).port === masterPort);
    if (found === undefined) throw new Error(`No node has the port ${masterPort}`);
    return found;
  };
  // Every sentinel must know the others and the replicas, or none of them could begin a failover.
  await Promise.all(
    sentinels.map(({ url }) =>
      until(async () => {
        const answer = await withNode(
          url,
          (client) => client.call("SENTINEL", "MASTER", MASTER_NAME),
          sentinelPassword,
        );
        const fields = answer as string[];
        const count = (name: string) => Number(fields[fields.indexOf(name) + 1]);
        return count("num-other-sentinels") === sentinelCount - 1 && count("num-slaves") === replicas;
      }),
    ),
  );
  const login = password === undefined ? "" : `:${encodeURIComponent(password)}@`;
  const hosts = sentinels.map(({ url }) => new URL(url).host).join(",");
  const query = new URLSearchParams({
    master: MASTER_NAME,
    ...(sentinelPassword !== undefined && { sentinel_password: sentinelPassword }),
  });
  return {
    url: `redis+sentinel://${login}${hosts}/0?${query.toString()}`,
    nodes,
    sentinels,
    findMaster,
    // The sentinels refuse while they find no replica that is fresh enough.
    beginFailover: async () => void (await until(() => askSentinels(["SENTINEL", "FAILOVER", MASTER_NAME]))),
    waitUntilWell: async () => void (await until(inStep, { what: "replicas in step" })),
    stop: async () => {
      await Promise.all([...sentinels, ...nodes].map((member) => member.end("SIGKILL")));
    },
  };
}

async function startSentinel(
  directory: string,
  lines: string[],
  password: string | undefined,
  group: ProcessGroup,
): Promise<SentinelProcess> {
  const binary = findRedisServer();
  if (binary === undefined) throw new Error("There is no redis-server or valkey-server on PATH");
  mkdirSync(directory, { recursive: true });
  const port = await claimPort();
  const url = `redis://127.0.0.1:${port}`;
  const file = join(directory, "sentinel.conf");
  // A sentinel keeps in this file what it has learnt.
  writeFileSync(file, [`port ${port}`, "bind 127.0.0.1", `dir ${directory}`, ...lines, ""].join("\n"));
  let running: { pid: number; exited: Promise<void> } | undefined;
  group.add(() => running?.pid, "SIGKILL");
  const start = async () => {
    if (running !== undefined) return;
    const child = spawn(binary, [file, "--sentinel"], { stdio: ["ignore", "pipe", "ignore"] });
    child.stdout.on("data", (text) => appendFileSync(`${directory}.log`, text));
    const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
    if (child.pid === undefined) throw new Error(`${binary} did not start`);
    running = { pid: child.pid, exited };
    await until(() => withNode(url, (client) => client.ping(), password), {
      what: `a sentinel; its log is ${directory}.log`,
    });
  };
  await start();
  return {
    url,
    start,
    end: async (signal) => {
      if (running === undefined) return;
      // A hung process handles no signal but these until it goes on.
      if (signal !== "SIGKILL" && signal !== "SIGSTOP") signalProcess(running.pid, "SIGCONT");
      signalProcess(running.pid, signal);
      await running.exited;
      running = undefined;
    },
  };
}
