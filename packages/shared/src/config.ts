// Configuration: environment variables, parsed once by each main.ts, every fault reported at once and by name.
// A secret `NAME` may come as `NAME_FILE`, the path of a file that holds it.

import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { z } from "zod";

import { readAddressRules } from "./address/rules.ts";
import { type Fault, SluiceError } from "./errors.ts";
import { readMasterKey } from "./master-key.ts";
import { readSigningSecret } from "./signature/secret.ts";

/** A value that printing, JSON and string concatenation do not reveal. */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [inspect.custom](): string {
    return "[secret]";
  }
}

const SECRETS = ["DATABASE_URL", "REDIS_URL", "MASTER_KEY", "ADMIN_API_KEY", "GEMINI_SIGNING_SECRET"] as const;

/** Strict: Number alone would read " " as 0 and "0x50" as 80. */
const integer = (min: number, max: number) =>
  z
    .string()
    .refine(
      (text) => /^[0-9]{1,12}$/.test(text) && Number(text) >= min && Number(text) <= max,
      `must be a whole number from ${min} to ${max}`,
    )
    .transform(Number);
const port = integer(0, 65_535);

const url = (protocols: string[], example: string) =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol),
      `must be a URL such as ${example}`,
    )
    .transform((text) => new Secret(text));

/** The paths of the ingress are put behind it, so nothing may follow its own. */
function isPublicUrl(text: string): boolean {
  // new URL() repairs what it reads (spaces, backslashes, missing slashes), and this is shown as it was written.
  if (!/^https?:\/\/[^\s\\?#@\p{Cc}]+$/iu.test(text)) return false;
  return URL.canParse(text);
}

const addressRules = z
  .string()
  .transform((text, context) => {
    const read = readAddressRules(text);
    if ("rules" in read) return read.rules;
    context.addIssue({ code: "custom", message: read.fault });
    return z.NEVER;
  })
  .default([]);

/** As a browser writes it: without a path, a default port and capitals. Neither "*" nor "null" is one. */
function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

/** What gateway and worker have in common. */
const common = {
  DATABASE_URL: url(["postgres:", "postgresql:"], "postgres://user:password@host:5432/sluice"),
  REDIS_URL: url(["redis:", "rediss:"], "redis://host:6379").optional(),
  REDIS_DURABILITY: z.enum(["verify", "assume"]).default("verify"),
  MASTER_KEY: z
    .string()
    .transform((text, context) => {
      const key = readMasterKey(text);
      if (key !== undefined) return new Secret(key);
      context.addIssue({ code: "custom", message: "must be 32 bytes in base64, as `openssl rand -base64 32` prints" });
      return z.NEVER;
    })
    .optional(),
  // The worker keeps to them; the gateway refuses what it can see in a target's URI.
  TARGET_ALLOW: addressRules,
  TARGET_DENY: addressRules,
  DATA_DIR: z.string().min(1).default(".data"),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
};

export const gatewayConfig = z.object({
  ...common,
  HOST: z.string().min(1).default("0.0.0.0"),
  PORT: port.default(8080),
  // Private unless told otherwise: the API is not for the public network.
  API_HOST: z.string().min(1).default("127.0.0.1"),
  API_PORT: port.default(8081),
  ADMIN_API_KEY: z
    .string()
    .trim()
    .min(20, "must be at least 20 characters")
    .transform((text) => new Secret(text))
    .optional(),
  GEMINI_SIGNING_SECRET: z
    .string()
    .transform((text, context) => {
      const read = readSigningSecret(text);
      if ("secret" in read) return new Secret(read.secret);
      context.addIssue({ code: "custom", message: read.fault });
      return z.NEVER;
    })
    .optional(),
  PUBLIC_URL: z
    .string()
    .refine(
      isPublicUrl,
      "must be an http or https URL without credentials, query and fragment, such as https://hooks.example.com",
    )
    .transform((text) => text.replace(/\/+$/, ""))
    .optional(),
  CORS_ORIGINS: z
    .string()
    .transform((text) => text.split(",").map((origin) => origin.trim()))
    .refine(
      (origins) => origins.every(isOrigin),
      "must be origins with a comma between them, each as a browser sends it, such as https://console.example.com",
    )
    .optional(),
  MAX_BODY_BYTES: integer(1024, 64 * 1024 * 1024).default(1024 * 1024),
  MAX_CONCURRENT_BODIES: integer(1, 100_000).default(1_000),
});

export const workerConfig = z.object({
  ...common,
  // Loopback only: health for the container's check, and the echo target of `npm run demo`.
  WORKER_PORT: port.default(8082),
  // The ledger must outlast a sender's retries (72 hours are promised), so the log does too.
  RETENTION_DAYS: integer(4, 3650).default(30),
  // Five days: a long weekend, and time to repair it. 0 is never.
  DISABLE_TARGET_AFTER_HOURS: integer(0, 8_760).default(120),
  // Longer than the log: who changed what is asked long after, and is little to keep.
  AUDIT_RETENTION_DAYS: integer(1, 36_500).default(365),
});

export type GatewayConfig = z.infer<typeof gatewayConfig>;
export type WorkerConfig = z.infer<typeof workerConfig>;

/**
 * Parses the environment. An empty variable counts as absent, as compose files leave them.
 * @throws SluiceError `invalid_configuration` with one fault per variable, by its name.
 */
export function readConfig<T extends z.ZodObject>(schema: T, env: NodeJS.ProcessEnv): z.infer<T> {
  const faults: Fault[] = [];
  const values: Record<string, string | undefined> = {};
  for (const name of Object.keys(schema.shape)) values[name] = env[name] === "" ? undefined : env[name];
  for (const name of SECRETS) {
    const path = env[`${name}_FILE`];
    if (!(name in schema.shape) || path === undefined || path === "") continue;
    if (values[name] !== undefined) {
      faults.push({ pointer: name, detail: `is given twice: as ${name} and as ${name}_FILE` });
      continue;
    }
    try {
      const text = readFileSync(path, "utf8").trim();
      if (text === "") faults.push({ pointer: `${name}_FILE`, detail: `names an empty file: ${path}` });
      else values[name] = text;
    } catch (error) {
      const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
      faults.push({ pointer: `${name}_FILE`, detail: `names a file that cannot be read (${reason}): ${path}` });
    }
  }
  const parsed = schema.safeParse(values);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const name = String(issue.path[0]);
      if (faults.some((fault) => fault.pointer.startsWith(name))) continue;
      faults.push({ pointer: name, detail: values[name] === undefined ? "is required" : issue.message });
    }
  }
  if (faults.length > 0 || !parsed.success) {
    const lines = faults.map((fault) => `  ${fault.pointer} ${fault.detail}`).join("\n");
    throw new SluiceError("invalid_configuration", `The environment is not valid:\n${lines}`, { faults });
  }
  return parsed.data;
}
