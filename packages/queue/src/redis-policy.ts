// Tells from the settings of a Redis whether Redis keeps what it confirmed. A setting that cannot be read counts as
// wrong.

import { Cluster, type Redis } from "ioredis";

import { listMasters, type RedisClient } from "./redis-client.ts";
import { isRefusal, readCause, readRefusalCode } from "./redis-refusal.ts";

/**
 * With these settings Redis answers a write after the write is on disk, also while Redis rewrites its append-only file,
 * and evicts nothing. https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
 */
const DEMANDED = {
  appendonly: "yes",
  appendfsync: "always",
  "no-appendfsync-on-rewrite": "no",
  "maxmemory-policy": "noeviction",
} as const;

type Setting = keyof typeof DEMANDED;
/** The values that could be read, by name. */
export type RedisPolicy = Partial<Record<Setting, string>>;

const SETTINGS = Object.keys(DEMANDED) as Setting[];

/** What is wrong, each problem in a few words. Empty when Redis keeps what it confirms. */
export function findProblems(policy: RedisPolicy): string[] {
  return SETTINGS.flatMap((name) => {
    const value = policy[name];
    if (value === undefined) return [`${name} cannot be read`];
    return value === DEMANDED[name] ? [] : [`${name} is ${value}`];
  });
}

const IS_NODE = "it is a node of a cluster; begin REDIS_URL with redis+cluster";
const IS_NO_CLUSTER = "it is not a cluster; begin REDIS_URL with redis";

/**
 * What is wrong with the servers that may take a write, each problem once. Every master of a cluster counts, because
 * any of them may get the keys of a relay.
 * @throws Error when a server does not answer.
 */
export async function findServerProblems(client: RedisClient): Promise<string[]> {
  const masters = listMasters(client);
  if (masters.length === 0) throw new Error("The cluster is not known yet");
  const [misfits, ...policies] = await Promise.all([
    findMisfits(client),
    ...masters.map(async (master) => findProblems(await readPolicy(master))),
  ]);
  return [...misfits, ...new Set(policies.flat())];
}

/** What REDIS_URL says wrongly, when the error shows that. */
export function describeClusterMisfit(error: unknown): string | undefined {
  const code = readRefusalCode(error);
  if (code === "MOVED" || code === "ASK" || code === "CROSSSLOT") return IS_NODE;
  const isDisabled = error instanceof Error && /cluster support disabled/.test(readCause(error).message);
  return isDisabled ? IS_NO_CLUSTER : undefined;
}

/** A node of a cluster answers only for the keys of its own slots. */
async function findMisfits(client: RedisClient): Promise<string[]> {
  if (client instanceof Cluster) return [];
  const info = (await undefinedIfRefused(client.info("cluster"))) ?? "";
  return /^cluster_enabled:1/m.test(info) ? [IS_NODE] : [];
}

/** A setting that Redis refuses to tell is missing from the result. @throws Error when Redis does not answer. */
async function readPolicy(redis: Redis): Promise<RedisPolicy> {
  const answer: unknown = await undefinedIfRefused(redis.config("GET", ...SETTINGS));
  const pairs: unknown[] = Array.isArray(answer) ? answer : [];
  const policy: RedisPolicy = {};
  for (const name of SETTINGS) {
    const value = pairs[pairs.indexOf(name) + 1];
    if (pairs.includes(name) && typeof value === "string") policy[name] = value;
  }
  if (SETTINGS.every((name) => policy[name] !== undefined)) return policy;
  // A user that may not run CONFIG GET may run INFO. INFO tells two of the settings, and not how often Redis syncs.
  const info = (await undefinedIfRefused(redis.info())) ?? "";
  const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1];
  const aofEnabled = field("aof_enabled");
  const evictionPolicy = field("maxmemory_policy");
  return {
    ...(aofEnabled !== undefined && { appendonly: aofEnabled === "1" ? "yes" : "no" }),
    ...(evictionPolicy !== undefined && { "maxmemory-policy": evictionPolicy }),
    ...policy,
  };
}

async function undefinedIfRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}
