// `sluice login` and `sluice logout`: store an address and a key, once they are known to work.

import { createInterface } from "node:readline/promises";
import { text } from "node:stream/consumers";
import { Writable } from "node:stream";

import type { SluiceClient } from "@sluice/client/client";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { type Command, Option } from "commander";

import { helpNote } from "../output/help-note.ts";
import { type CliContext, note, terminalOf } from "../cli-context.ts";
import { readApiAddress } from "../relay/access.ts";
import { asked, connectTo } from "../relay/relay-api.ts";
import { DEFAULT_PROFILE, profilesPath, readProfiles, writeProfiles } from "./profiles.ts";

const SUGGESTED_API = "http://127.0.0.1:8081";
const LOOPBACK = /^http:\/\/(?:localhost|127\.[0-9.]+|\[::1\])(?::|\/|$)/;

interface LoginOptions {
  api?: string;
  profile: string;
}

const profileOption = (description: string) => new Option("--profile <name>", description).default(DEFAULT_PROFILE);

export function addLogin(program: Command, context: CliContext): void {
  program
    .command("login")
    .description("store the address of a relay and an API key, after a test that they work")
    .option("--api <url>", "the address of the API, which is asked for otherwise")
    .addOption(profileOption("the name under which they are stored"))
    .addHelpText(
      "after",
      helpNote(
        "On a terminal the command asks for both. From a pipe it reads a line with the address, unless --api " +
          "gives it, and a line with the key.",
      ),
    )
    .action((options: LoginOptions) => logIn(options, context));
  program
    .command("logout")
    .description("forget an address and its key; the key itself stays valid")
    .addOption(profileOption("the name under which they are stored"))
    .action((options: Pick<LoginOptions, "profile">) => logOut(options, context));
}

async function logIn({ api: given, profile }: LoginOptions, context: CliContext): Promise<void> {
  const { api, key } = terminalOf(context.stdin) ? await askPerson(given, context) : await readPiped(given, context);
  if (key === "") throw new SluiceError("invalid_configuration", "There is no API key in what was entered");
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new SluiceError("invalid_configuration", "An API key has no spaces and no characters beyond ASCII");
  const holder = await asked(readOwnKey(connectTo({ api, key })));
  if (api.startsWith("http://") && !LOOPBACK.test(api))
    note(context, `The key travels to ${api} unencrypted: use https where others can listen.`);
  writeProfiles(context.env, { ...readProfiles(context.env), [profile]: { api, key } });
  note(context, `Logged in at ${api} with the key ${holder.name} (${holder.scopes.join(", ")}).`);
  note(context, `The profile ${profile} is in ${profilesPath(context.env)}.`);
}

export function readOwnKey(client: SluiceClient) {
  return client.get("/v1/keys/self");
}

function logOut({ profile }: Pick<LoginOptions, "profile">, context: CliContext): void {
  const { [profile]: removed, ...others } = readProfiles(context.env);
  if (removed === undefined) throw new SluiceError("not_found", `There is no profile ${profile}`);
  writeProfiles(context.env, others);
  note(context, `The profile ${profile} is removed. The key stays valid until somebody revokes it.`);
}

async function readPiped(given: string | undefined, { stdin }: CliContext): Promise<{ api: string; key: string }> {
  const lines = (await text(stdin)).split("\n").map((line) => line.trim());
  const api = readApiAddress(given ?? (lines.shift() || SUGGESTED_API));
  return { api, key: lines.find((line) => line !== "") ?? "" };
}

async function askPerson(given: string | undefined, context: CliContext): Promise<{ api: string; key: string }> {
  let isHidden = false;
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (!isHidden) context.stderr.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input: context.stdin, output, terminal: true });
  const stopped = new AbortController();
  lines.on("SIGINT", () => stopped.abort());
  const { signal } = stopped;
  try {
    const entered =
      given ?? ((await lines.question(`Address of the API [${SUGGESTED_API}]: `, { signal })).trim() || SUGGESTED_API);
    const api = readApiAddress(entered);
    context.stderr.write("API key (it is not shown): ");
    isHidden = true;
    const key = (await lines.question("", { signal })).trim();
    return { api, key };
  } finally {
    lines.close();
    if (isHidden) context.stderr.write("\n");
  }
}
