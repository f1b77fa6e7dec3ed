// `sluice open`: the console in a browser, at what an id names.

import type { Command } from "commander";

import { helpNote } from "../output/help-note.ts";
import { type CliContext, note, terminalOf } from "../cli-context.ts";
import { findAccess, type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { connectTo } from "../relay/relay-api.ts";
import { findBrowser, openLink } from "./browser.ts";
import { makeConsoleLink } from "./console-link.ts";

interface OpenOptions extends RelayOptions {
  print?: boolean;
}

export function addOpen(program: Command, context: CliContext): void {
  const command = program
    .command("open")
    .description("open the console in a browser, at an event, a delivery, a target or whatever the id names")
    .argument("[id]", "an id, such as evt_… or tgt_…; the first page when it is not given")
    .option("--print", "print the link, and open nothing")
    .addHelpText(
      "after",
      helpNote(
        "The link signs in once, as the key of this command, within ten minutes. Without a terminal or a " +
          "browser it is printed.",
      ),
    )
    .action(async (id: string | undefined, options: OpenOptions) => {
      const access = findAccess(options, context);
      const link = await makeConsoleLink(access.published, connectTo(access), id);
      const hasPerson = options.print !== true && terminalOf(context.stdout) !== undefined;
      const browser = hasPerson ? findBrowser(context.env, process.platform) : undefined;
      if (browser !== undefined && (await openLink(browser, link)))
        note(context, `The console of ${access.published} is open in your browser.`);
      else context.stdout.write(`${link}\n`);
    });
  withRelayOptions(command);
}
