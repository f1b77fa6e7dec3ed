// The settings that gateway and worker share, and the kinds of values that settings have.

import { z } from "zod";

import { readAddressRules } from "../address/rules.ts";
import { certificateFile } from "./certificates.ts";
import { readMasterKey } from "./master-key.ts";
import { secretSetting } from "./read-config.ts";
import { redisUrl } from "./redis-settings.ts";
import { Secret } from "./secret.ts";

/** A whole number in decimal digits. Number alone would read " " as 0 and "0x50" as 80. */
export const integer = (min: number, max: number) =>
  z
    .string()
    .refine(
      (text) => /^[0-9]{1,12}$/.test(text) && Number(text) >= min && Number(text) <= max,
      `must be a whole number from ${min} to ${max}`,
    )
    .transform(Number);
const port = integer(0, 65_535);

const secretUrl = (protocols: string[], example: string) =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol),
      `must be a URL such as ${example}`,
    )
    .transform((text) => new Secret(text));

/** The most replicas that a setting can demand; one Redis has a handful. */
const MAX_REPLICAS = 100;

const replicas = z
  .string()
  .refine(
    (text) => text === "auto" || (/^[0-9]{1,3}$/.test(text) && Number(text) <= MAX_REPLICAS),
    `must be auto, or a whole number from 0 to ${MAX_REPLICAS}`,
  )
  .transform((text): number | "auto" => (text === "auto" ? text : Number(text)))
  .default("auto");

const addressRules = z
  .string()
  .transform((text, context) => {
    const read = readAddressRules(text);
    if ("rules" in read) return read.rules;
    context.addIssue({ code: "custom", message: read.fault });
    return z.NEVER;
  })
  .default([]);

const postgresUrl = secretUrl(["postgres:", "postgresql:"], "postgres://user:password@host:5432/sluice");

const databaseSettings = {
  DATABASE_URL: secretSetting(postgresUrl),
  // Past a transaction pooler, for what needs a session of PostgreSQL.
  DATABASE_DIRECT_URL: secretSetting(postgresUrl.optional()),
};

/**
 * The address of a port of the relay. Paths are appended to it, so it may not have a query or a fragment.
 * @param example what the fault suggests.
 */
export const webAddress = (example: string) =>
  z
    .string()
    .refine(isWebAddress, `must be an http or https URL without credentials, query and fragment, such as ${example}`)
    .transform((text) => text.replace(/\/+$/, ""));

function isWebAddress(text: string): boolean {
  // new URL() accepts and repairs spaces, backslashes and missing slashes. The URL is shown as it was written.
  if (!/^https?:\/\/[^\s\\?#@\p{Cc}]+$/iu.test(text)) return false;
  return URL.canParse(text);
}

/** Whether connections to loopback addresses are allowed. */
export const loopbackSetting = z.enum(["allow", "deny"]).default("deny");

/**
 * Where the relay itself listens. Each process knows all of them, because no target may be there. A worker on another
 * machine than the gateway is given the gateway's name as HOST and API_HOST.
 */
const listenSettings = {
  HOST: z.string().min(1).default("0.0.0.0"),
  PORT: port.default(8080),
  // The loopback address by default, because the API is not for the public network.
  API_HOST: z.string().min(1).default("127.0.0.1"),
  API_PORT: port.default(8081),
  // Liveness, readiness and metrics, for which nobody needs a key.
  WORKER_HOST: z.string().min(1).default("127.0.0.1"),
  WORKER_PORT: port.default(8082),
};

/** The settings that gateway and worker share. */
export const commonSettings = {
  ...databaseSettings,
  ...listenSettings,
  DATABASE_PREPARED_STATEMENTS: z.enum(["auto", "on", "off"]).default("auto"),
  REDIS_URL: secretSetting(redisUrl.optional()),
  REDIS_CA_FILE: certificateFile.optional(),
  REDIS_DURABILITY: z.enum(["verify", "assume"]).default("verify"),
  REDIS_REPLICAS: replicas,
  MASTER_KEY: secretSetting(
    z
      .string()
      .transform((text, context) => {
        const key = readMasterKey(text);
        if (key !== undefined) return new Secret(key);
        context.addIssue({
          code: "custom",
          message: "must be 32 bytes in base64, as `openssl rand -base64 32` prints",
        });
        return z.NEVER;
      })
      .optional(),
  ),
  // The worker enforces them. The gateway already refuses a target whose URI shows that they refuse it.
  TARGET_ALLOW: addressRules,
  TARGET_DENY: addressRules,
  TARGET_LOOPBACK: loopbackSetting,
  // The key of the Gemini API for the source `gemini`, where that source holds none.
  GEMINI_API_KEY: secretSetting(
    z
      .string()
      .trim()
      .min(1)
      .transform((text) => new Secret(text))
      .optional(),
  ),
  // A setting of the process and never of a source: whoever may change a source must not lead an API key elsewhere.
  GEMINI_BASE_URL: z
    .string()
    .refine((text) => /^https?:\/\/[^\s?#@]+$/.test(text) && URL.canParse(text), "must be an http or https URL")
    .default("https://generativelanguage.googleapis.com"),
  // Over all processes, for each key. Listing 10,000 batches takes a hundred.
  GEMINI_REQUESTS_PER_HOUR: integer(1, 1_000_000).default(1_000),
  DATA_DIR: z.string().min(1).default(".data"),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
};

const migrateSettings = z.object({
  ...databaseSettings,
  // A superuser, which makes the roles of DATABASE_URL and DATABASE_APP_URL.
  DATABASE_ADMIN_URL: secretSetting(postgresUrl.optional()),
  DATABASE_APP_URL: secretSetting(postgresUrl.optional()),
});

/** The settings of the process that migrates. */
export const migrateConfig = migrateSettings.check(({ issues, value }) => {
  if ((value.DATABASE_ADMIN_URL === undefined) === (value.DATABASE_APP_URL === undefined)) return;
  const message = "must be set together with the other one of DATABASE_ADMIN_URL and DATABASE_APP_URL";
  const path = [value.DATABASE_ADMIN_URL === undefined ? "DATABASE_APP_URL" : "DATABASE_ADMIN_URL"];
  issues.push({ code: "custom", message, path, input: undefined });
});
