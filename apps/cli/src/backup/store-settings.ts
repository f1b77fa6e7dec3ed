// The settings of the commands that work on the stores themselves, past the API.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { commonSettings, migrateConfig } from "@sluice/shared/settings/common";
import { type MasterKey, readMasterKey } from "@sluice/shared/settings/master-key";
import { isSecretSetting, readConfig, secretSetting } from "@sluice/shared/settings/read-config";
import { checkRedisCa } from "@sluice/shared/settings/redis-settings";
import { Secret } from "@sluice/shared/settings/secret";

const { REDIS_URL, REDIS_CA_FILE, DATA_DIR } = commonSettings;

const storeConfig = z
  .object({
    ...migrateConfig.shape,
    REDIS_URL,
    REDIS_CA_FILE,
    DATA_DIR,
    // The text, because a backup seals it as it was given.
    MASTER_KEY: secretSetting(
      z
        .string()
        .refine((text) => readMasterKey(text) !== undefined, "must be 32 bytes in base64")
        .transform((text) => new Secret(text))
        .optional(),
    ),
  })
  .check(checkRedisCa);

export type StoreSettings = z.infer<typeof storeConfig>;

export interface KeyAtHand {
  key: MasterKey;
  text: Secret<string>;
  /** Where it is, for a message. */
  place: string;
}

/** @throws SluiceError `invalid_configuration` */
export function readStoreSettings(env: NodeJS.ProcessEnv): StoreSettings {
  return readConfig(storeConfig, env);
}

/** The URL of PostgreSQL for what needs a session. */
export function directUrlOf({ DATABASE_URL, DATABASE_DIRECT_URL }: StoreSettings): string {
  return (DATABASE_DIRECT_URL ?? DATABASE_URL).reveal();
}

export const keyFileOf = ({ DATA_DIR: directory }: Pick<StoreSettings, "DATA_DIR">): string =>
  join(directory, "master-key");

/** The master key that a gateway with these settings would use; undefined when it would make one. */
export function findKeyAtHand(settings: StoreSettings): KeyAtHand | undefined {
  const path = keyFileOf(settings);
  const given = settings.MASTER_KEY?.reveal();
  const text = given ?? (existsSync(path) ? readFileSync(path, "utf8").trim() : undefined);
  const key = text === undefined ? undefined : readMasterKey(text);
  if (text === undefined || key === undefined) return undefined;
  return { key, text: new Secret(text), place: given === undefined ? path : "MASTER_KEY" };
}

/** What is set of the settings that every process has, without the secrets. */
export function listPlainSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  const names = Object.entries(commonSettings).filter(([, setting]) => !isSecretSetting(setting));
  return Object.fromEntries(names.flatMap(([name]) => (env[name] ? [[name, env[name]]] : [])));
}
