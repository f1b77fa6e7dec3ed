// Tells from the settings of a Redis whether Redis keeps what it confirmed. A setting that cannot be read counts as
// wrong.

import type { Redis } from "ioredis";

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

/** A setting that Redis refuses to tell is missing from the result. @throws Error when Redis does not answer. */
export async function readPolicy(redis: Redis): Promise<RedisPolicy> {
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

/** The code with which Redis refused a command, such as `OOM` or `READONLY`; undefined for every other error. */
export function readRefusalCode(error: unknown): string | undefined {
  return isRefusal(error) ? /^[A-Z]+\b/.exec(error.message)?.[0] : undefined;
}

/** Whether Redis answered with an error. */
function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}
