// Whether a Redis keeps what it confirmed, by its own settings. What cannot be read counts against it.

import type { Redis } from "ioredis";

/**
 * Every write is on disk before it is answered, also while the append-only file is rewritten, and nothing is evicted.
 * https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
 */
const DEMANDED = {
  appendonly: "yes",
  appendfsync: "always",
  "no-appendfsync-on-rewrite": "no",
  "maxmemory-policy": "noeviction",
} as const;

type Setting = keyof typeof DEMANDED;
export type RedisPolicy = Partial<Record<Setting, string>>;

const SETTINGS = Object.keys(DEMANDED) as Setting[];

/** What is wrong, each in a few words. Empty when a confirmed write is durable. */
export function findProblems(policy: RedisPolicy): string[] {
  return SETTINGS.flatMap((name) => {
    const value = policy[name];
    if (value === undefined) return [`${name} cannot be read`];
    return value === DEMANDED[name] ? [] : [`${name} is ${value}`];
  });
}

/** @throws Error when Redis does not answer. That it refuses the question is an answer: the setting is missing. */
export async function readPolicy(redis: Redis): Promise<RedisPolicy> {
  const answer: unknown = await unlessRefused(redis.config("GET", ...SETTINGS));
  const pairs: unknown[] = Array.isArray(answer) ? answer : [];
  const policy: RedisPolicy = {};
  for (const name of SETTINGS) {
    const value = pairs[pairs.indexOf(name) + 1];
    if (pairs.includes(name) && typeof value === "string") policy[name] = value;
  }
  if (SETTINGS.every((name) => policy[name] !== undefined)) return policy;
  // Who may not read the settings may read this; how often Redis syncs is not in it.
  const info = (await unlessRefused(redis.info())) ?? "";
  const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1];
  const aofEnabled = field("aof_enabled");
  const evicts = field("maxmemory_policy");
  return {
    ...(aofEnabled !== undefined && { appendonly: aofEnabled === "1" ? "yes" : "no" }),
    ...(evicts !== undefined && { "maxmemory-policy": evicts }),
    ...policy,
  };
}

async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

/** Whether Redis answered, and said no. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}
