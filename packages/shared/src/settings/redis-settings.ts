// The settings that say how Redis is reached.

import { z } from "zod";

import { readRedisAddress, type RedisAddress } from "./redis-address.ts";
import { Secret } from "./secret.ts";

export const redisUrl = z.string().transform((text, context) => {
  const read = readRedisAddress(text);
  if ("address" in read) return new Secret(read.address);
  context.addIssue({ code: "custom", message: read.fault });
  return z.NEVER;
});

interface RedisSettings {
  REDIS_URL?: Secret<RedisAddress> | undefined;
  REDIS_CA_FILE?: string | undefined;
}

/** A check of the whole configuration. A CA without TLS is a fault: the operator meant to encrypt the connection. */
export function checkRedisCa({ issues, value }: z.core.ParsePayload<RedisSettings>): void {
  if (value.REDIS_CA_FILE === undefined || value.REDIS_URL?.reveal().tls === true) return;
  const message = "is set, and REDIS_URL does not use TLS; begin it with rediss";
  issues.push({ code: "custom", message, path: ["REDIS_CA_FILE"], input: undefined });
}
