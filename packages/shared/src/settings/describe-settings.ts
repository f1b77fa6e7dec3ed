// The settings of a process for people: what was set and what holds by default. A secret never leaves here: it is only said
// whether it is set.

import { z } from "zod";

import { isSecretSetting } from "./read-config.ts";

export interface DescribedSetting {
  name: string;
  isSecret: boolean;
  /** Whether the environment has it, itself or as a file of a secret. */
  isSet: boolean;
  /** As it was written, or the default. Null for a secret, and without a default. */
  value: string | null;
}

/** @param env that with which `readConfig` read the settings. */
export function describeSettings(schema: z.ZodObject, env: NodeJS.ProcessEnv): DescribedSetting[] {
  return Object.entries(schema.shape).map(([name, setting]) => {
    const given = env[name] || undefined;
    if (isSecretSetting(setting)) {
      const isSet = given !== undefined || Boolean(env[`${name}_FILE`]);
      return { name, isSecret: true, isSet, value: null };
    }
    const value = given === undefined ? defaultOf(setting) : withoutCredentials(given);
    return { name, isSecret: false, isSet: given !== undefined, value };
  });
}

function defaultOf(setting: unknown): string | null {
  const parsed = setting instanceof z.ZodType ? setting.safeParse(undefined) : undefined;
  const value: unknown = parsed?.data;
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The settings that are no secrets refuse credentials in URLs. Failure policy: closed, for one that forgets to. */
function withoutCredentials(text: string): string {
  return text.replaceAll(/(\/\/)[^/?#\s]*@/g, "$1…@");
}
