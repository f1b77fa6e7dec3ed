// `sluice status`: whether a relay works, and what does not, in words.

import { ApiError } from "@sluice/client/api-error";
import type { Schemas, SluiceClient } from "@sluice/client/client";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Command } from "commander";

import { helpNote } from "../output/help-note.ts";
import { type CliContext } from "../cli-context.ts";
import { showOnceOrMore, type WatchOptions, withWatchOptions } from "../endpoint/watch.ts";
import { type OutputOptions, printLines, printRecord, surfaceOf, withOutputOptions } from "../output/print.ts";
import { findAccess, type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { connectTo } from "../relay/relay-api.ts";
import { askReadiness } from "./ask-readiness.ts";
import { readRelayState } from "./relay-state.ts";
import { statusLines } from "./status-lines.ts";

type StatusOptions = RelayOptions & OutputOptions & WatchOptions;

export function addStatus(program: Command, context: CliContext): void {
  const command = program
    .command("status")
    .description("show whether the relay works, what waits, and which targets are not well")
    .addHelpText("after", helpNote("The exit code is 6 when the relay is not ready to take events."))
    .action(async (options: StatusOptions) => {
      const access = findAccess(options, context);
      const client = connectTo(access);
      await showOnceOrMore(context, options, async (surface) => {
        const state = await readOrShowReadiness(client, access.api, options, surface);
        if (options.json === true)
          printRecord(surface, options, { ...state.system, unwell_targets: state.unwellTargets });
        else printLines(surface, statusLines(state, Date.now(), surfaceOf(surface)));
        refuseUnready(state.system.status);
      });
    });
  withWatchOptions(withOutputOptions(withRelayOptions(command)));
}

/** @throws SluiceError `unavailable`, by which the command ends with 6. */
function refuseUnready(status: Schemas["SystemStatus"]): void {
  if (status === "not_ready" || status === "stopping")
    throw new SluiceError("unavailable", "The relay is not ready to take events: `sluice doctor` says what to do");
}

/** Without PostgreSQL the relay knows no key but ADMIN_API_KEY, and says what is wrong to everybody. */
async function readOrShowReadiness(client: SluiceClient, api: string, options: StatusOptions, surface: CliContext) {
  try {
    return await readRelayState(client);
  } catch (error) {
    const isAnswered = error instanceof SluiceError && error.code === "unavailable" && error.cause instanceof ApiError;
    const readiness = isAnswered ? await askReadiness(api).catch(() => undefined) : undefined;
    if (readiness !== undefined) printRecord(surface, options, readiness);
    throw error;
  }
}
