// The settings of the gateway: its limits, its keys, and the settings that it shares with the worker.

import { z } from "zod";

import { readAddressRules } from "@sluice/shared/address/rules";
import { MIN_API_KEY_LENGTH } from "@sluice/shared/domain/api-key";
import { commonSettings, integer, loopbackSetting, webAddress } from "@sluice/shared/settings/common";
import { secretSetting } from "@sluice/shared/settings/read-config";
import { checkRedisCa } from "@sluice/shared/settings/redis-settings";
import { Secret } from "@sluice/shared/settings/secret";
import { readSigningSecret } from "@sluice/signature/secret";
import { tracingSettings } from "@sluice/tracing/settings";

import { readIdentityRules } from "./api/access/identities.ts";

/** An origin as a browser sends it: without a path, a default port and capitals. "*" and "null" are not allowed. */
function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

/** Networks only: the name of a host says nothing about who holds a connection. */
const networks = z
  .string()
  .transform((text, context) => {
    const read = readAddressRules(text);
    const rules = "rules" in read ? read.rules : [];
    const name = rules.find(({ kind }) => kind === "name");
    const fault = "fault" in read ? read.fault : name && `has ${JSON.stringify(name.text)}, which is a name`;
    if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
    return rules.flatMap((rule) => (rule.kind === "range" ? rule.range : []));
  })
  .default([]);

const hostNames = z
  .string()
  .transform((text, context) => {
    const read = readAddressRules(text);
    if ("rules" in read) return read.rules;
    const example = "Give host names without a scheme and a port, such as relay.internal";
    context.addIssue({ code: "custom", message: `${read.fault}. ${example}` });
    return z.NEVER;
  })
  .default([]);

const identityRules = z
  .string()
  .transform((text, context) => {
    const read = readIdentityRules(text);
    if ("rules" in read) return read.rules;
    context.addIssue({ code: "custom", message: read.fault });
    return z.NEVER;
  })
  .default([]);

const apiKey = secretSetting(
  z
    .string()
    .trim()
    .min(MIN_API_KEY_LENGTH, `must be at least ${MIN_API_KEY_LENGTH} characters`)
    .transform((text) => new Secret(text))
    .optional(),
);

const settings = z.object({
  ...commonSettings,
  ...tracingSettings,
  ADMIN_API_KEY: apiKey,
  METRICS_KEY: apiKey,
  GEMINI_SIGNING_SECRET: secretSetting(
    z
      .string()
      .transform((text, context) => {
        const read = readSigningSecret(text);
        if ("secret" in read) return new Secret(read.secret);
        context.addIssue({ code: "custom", message: read.fault });
        return z.NEVER;
      })
      .optional(),
  ),
  // Sources, targets and keys, as a file that is in git. It is applied at the start, and on SIGHUP.
  CONFIG_FILE: z.string().min(1).optional(),
  // Whether what the file manages and does not name any more is removed.
  CONFIG_PRUNE: z.enum(["on", "off"]).default("off"),
  PUBLIC_URL: webAddress("https://hooks.example.com").optional(),
  CORS_ORIGINS: z
    .string()
    .transform((text) => text.split(",").map((origin) => origin.trim()))
    .refine(
      (origins) => origins.every(isOrigin),
      "must be origins separated by commas, each as a browser sends it, such as https://console.example.com",
    )
    .optional(),
  DATABASE_MAX_CONNECTIONS: integer(5, 1_000).default(20),
  MAX_BODY_BYTES: integer(1024, 64 * 1024 * 1024).default(1024 * 1024),
  MAX_CONCURRENT_BODIES: integer(1, 100_000).default(1_000),
  // For key sets, by http too. TARGET_DENY holds for key sets as well, and TARGET_ALLOW does not.
  JWKS_LOOPBACK: loopbackSetting,
  TRUSTED_PROXIES: networks,
  // The names by which browsers reach the console, beside those of the machine itself.
  API_HOSTS: hostNames,
  // A header in which an authenticating proxy of TRUSTED_PROXIES names a person, and what each person may do.
  CONSOLE_IDENTITY_HEADER: z
    .string()
    .regex(/^[\w-]{1,100}$/, "must be the name of a header, such as X-Forwarded-Email")
    .optional(),
  CONSOLE_IDENTITIES: identityRules,
  // Above the 600 s for which Google's balancers keep an idle connection.
  KEEP_ALIVE_SECONDS: integer(1, 86_400).default(620),
  MAX_CONNECTIONS_PER_ADDRESS: integer(1, 4_096).optional(),
});

export const gatewayConfig = settings.check(checkRedisCa).check(({ issues, value }) => {
  if (value.CONSOLE_IDENTITY_HEADER === undefined && value.CONSOLE_IDENTITIES.length === 0) return;
  const add = (name: string, message: string) =>
    void issues.push({ code: "custom", message, path: [name], input: undefined });
  if (value.CONSOLE_IDENTITY_HEADER === undefined)
    add("CONSOLE_IDENTITY_HEADER", "must be set with CONSOLE_IDENTITIES");
  if (value.CONSOLE_IDENTITIES.length === 0) add("CONSOLE_IDENTITIES", "must be set with CONSOLE_IDENTITY_HEADER");
  // Otherwise nobody could sign in, because the header counts from these proxies alone.
  if (value.TRUSTED_PROXIES.length === 0) add("TRUSTED_PROXIES", "must be set with CONSOLE_IDENTITY_HEADER");
});

export type GatewayConfig = z.infer<typeof gatewayConfig>;
