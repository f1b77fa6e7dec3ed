// Which relay a command talks to, and with which key: options come before the environment, that before the profile, and last is
// the relay of this machine. A key is only ever sent to the address that it belongs to.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { SluiceError } from "@sluice/shared/runtime/errors";
import { type Command, Option } from "commander";

import type { CliContext } from "../cli-context.ts";
import { DEFAULT_PROFILE, type Profiles, readProfiles } from "../profile/profiles.ts";

const DEFAULT_API = "http://127.0.0.1:8081";

export interface RelayOptions {
  api?: string;
  profile?: string;
}

export interface RelayAccess {
  api: string;
  /** Where a person's browser reaches the same API. */
  published: string;
  key: string;
  /** Where the key is from, for a person. */
  from: string;
}

/** Adds the options of a command that calls the API. */
export function withRelayOptions(command: Command): Command {
  return command
    .addOption(new Option("--api <url>", "the address of the API, before SLUICE_API").helpGroup("Relay:"))
    .addOption(new Option("--profile <name>", "what `sluice login` stored under this name").helpGroup("Relay:"));
}

/** The address of the API, for a command that can do without a key. @throws SluiceError `invalid_configuration` */
export function findApiAddress(options: RelayOptions, context: CliContext): string {
  return choosePlace(options, context).api;
}

/** Which address was chosen, and all that may have a key for it. */
function choosePlace(options: RelayOptions, { env, findOwnRelay }: CliContext) {
  const profiles = readProfiles(env);
  const named = options.profile === undefined ? undefined : requireProfile(profiles, options.profile);
  const chosen = named ?? profiles[DEFAULT_PROFILE];
  const given = options.api ?? (named === undefined ? env["SLUICE_API"] || undefined : undefined);
  const own = findOwnRelay?.();
  const found = given ?? chosen?.api ?? own?.api;
  return { api: readApiAddress(found ?? DEFAULT_API), profiles, named, own, isGuess: found === undefined };
}

/** @throws SluiceError `invalid_configuration` when there is no key for the address, `unavailable` when no relay runs here. */
export function findAccess(options: RelayOptions, context: CliContext): RelayAccess {
  const { api, profiles, named, own, isGuess } = choosePlace(options, context);
  const isOwn = own !== undefined && isSameAddress(api, own.api);
  const place = { api, published: isOwn && own.published ? readApiAddress(own.published) : api };
  if (named !== undefined) {
    if (!isSameAddress(api, named.api)) {
      throw new SluiceError(
        "invalid_configuration",
        `The profile ${options.profile} is for ${named.api}, and its key is not sent to ${api}: leave out --api or --profile`,
      );
    }
    return { ...place, key: named.key, from: `profile ${options.profile}` };
  }
  const key = keyOfEnvironment(context);
  if (key !== undefined) return { ...place, ...key };
  const [name, profile] = findProfile(profiles, api) ?? [];
  if (profile !== undefined) return { ...place, key: profile.key, from: `profile ${name}` };
  if (isOwn) return { ...place, key: own.key, from: own.from };
  if (isGuess && context.noOwnRelay !== undefined) throw new SluiceError("unavailable", context.noOwnRelay);
  throw new SluiceError(
    "invalid_configuration",
    `There is no API key for ${api}: run \`sluice login\`, or set SLUICE_API_KEY, or SLUICE_API_KEY_FILE to a file that holds one`,
  );
}

/**
 * The address of an API, as profiles store it.
 * @throws SluiceError `invalid_configuration`
 */
export function readApiAddress(text: string): string {
  if (/^https?:\/\//i.test(text) && URL.canParse(text)) {
    const { username, password, search, hash, href } = new URL(text);
    if (username === "" && password === "" && search === "" && hash === "") return href.replace(/\/+$/, "");
  }
  throw new SluiceError(
    "invalid_configuration",
    `The address of the API must be a URL such as ${DEFAULT_API}, and not ${JSON.stringify(text)}`,
  );
}

function keyOfEnvironment({ env, directory }: CliContext): { key: string; from: string } | undefined {
  const file = env["SLUICE_API_KEY_FILE"];
  if (!file) return env["SLUICE_API_KEY"] ? { key: env["SLUICE_API_KEY"], from: "SLUICE_API_KEY" } : undefined;
  try {
    return { key: readFileSync(resolve(directory, file), "utf8").trim(), from: "SLUICE_API_KEY_FILE" };
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new SluiceError("invalid_configuration", `SLUICE_API_KEY_FILE cannot be read (${reason}): ${file}`);
  }
}

function requireProfile(profiles: Profiles, name: string) {
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile !== undefined) return profile;
  const known = Object.keys(profiles).join(", ");
  throw new SluiceError(
    "invalid_configuration",
    `There is no profile ${name}${known === "" ? "" : ` (there is ${known})`}: make it by \`sluice login --profile ${name}\``,
  );
}

/** The profile of an address; the default one before the others. */
const findProfile = (profiles: Profiles, api: string) =>
  Object.entries(profiles)
    .toSorted(([one], [other]) => Number(other === DEFAULT_PROFILE) - Number(one === DEFAULT_PROFILE))
    .find(([, profile]) => isSameAddress(profile.api, api));

const isSameAddress = (one: string, other: string) => readApiAddress(one) === readApiAddress(other);
