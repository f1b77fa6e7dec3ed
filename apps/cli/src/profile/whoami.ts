// `sluice whoami`: which relay the next command would talk to, and as whom.

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Command } from "commander";

import type { CliContext } from "../cli-context.ts";
import { type OutputOptions, printRecord, withOutputOptions } from "../output/print.ts";
import { findAccess, type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { asked, connectTo } from "../relay/relay-api.ts";
import { readOwnKey } from "./login.ts";

export function addWhoami(program: Command, context: CliContext): void {
  const command = program
    .command("whoami")
    .description("show which relay commands talk to, and with which key and scopes")
    .action(async (options: RelayOptions & OutputOptions) => {
      const { api, key, from } = findAccess(options, context);
      const { id, name, scopes, expires_at } = await asked(readOwnKey(connectTo({ api, key }))).catch(
        (error: unknown) => {
          // Where the key is from matters most when it is refused.
          if (!(error instanceof SluiceError && error.code === "unauthenticated")) throw error;
          throw new SluiceError(error.code, `${api} refuses the key from ${from}: ${error.message}`, {
            cause: error.cause,
          });
        },
      );
      printRecord(context, options, { api, key_from: from, name, id, scopes, expires_at });
    });
  withOutputOptions(withRelayOptions(command));
}
