// The settings that say how Redis is reached.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

import { z } from "zod";

import { readRedisAddress, type RedisAddress } from "./redis-address.ts";
import { Secret } from "./secret.ts";

export const redisUrl = z.string().transform((text, context) => {
  const read = readRedisAddress(text);
  if ("address" in read) return new Secret(read.address);
  context.addIssue({ code: "custom", message: read.fault });
  return z.NEVER;
});

const CERTIFICATES = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs;

/** The path of a file with certificates in PEM. Reads the file, so that a wrong one is a fault at the start. */
export const certificateFile = z.string().transform((path, context) => {
  const refuse = (why: string) => {
    context.addIssue({ code: "custom", message: `names a file ${why}: ${path}` });
    return z.NEVER;
  };
  try {
    const text = readFileSync(path, "utf8");
    const certificates = (text.match(CERTIFICATES) ?? []).map((pem) => new X509Certificate(pem));
    return certificates.length === 0 ? refuse("without a certificate in PEM") : text;
  } catch (error) {
    return refuse(
      `that cannot be read (${error instanceof Error && "code" in error ? String(error.code) : "unknown"})`,
    );
  }
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
