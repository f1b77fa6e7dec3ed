// A command that shows one thing of the API.

import type { Command } from "commander";

import type { CliContext } from "../cli-context.ts";
import { type OutputOptions, printRecord, withOutputOptions } from "../output/print.ts";
import type { RecordView } from "../output/record.ts";
import { type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { openRelayApi } from "../relay/relay-api.ts";
import { callEndpoint, type EndpointName, endpointOf } from "./call.ts";
import { lowerFirst } from "./list-command.ts";
import { findId, type NamedKind, ShownNames } from "./names.ts";
import { showOnceOrMore, type WatchOptions, withWatchOptions } from "./watch.ts";

export interface GetSpec {
  endpoint: EndpointName;
  /** What the argument names. It is an id; of a named kind it may be the name. */
  argument: string;
  kind?: NamedKind;
  view?: (names: ShownNames) => RecordView;
}

interface GetOptions extends RelayOptions, OutputOptions, WatchOptions {}

export function addGet(group: Command, context: CliContext, spec: GetSpec): Command {
  const { endpoint, argument, kind, view = () => ({}) } = spec;
  const command = group
    .command("get")
    .description(lowerFirst(endpointOf(endpoint).summary))
    .argument(`<${argument}>`, kind === undefined ? "its id" : "its name or its id")
    .action(async (given: string, options: GetOptions) => {
      const client = openRelayApi(options, context);
      const id = kind === undefined ? given : await findId(client, kind, given);
      const names = new ShownNames(client);
      await showOnceOrMore(context, options, async (surface) => {
        const found = await callEndpoint(client, endpoint, { path: { id } });
        if (options.json !== true) await names.load(found);
        printRecord(surface, options, found, { nameOf: (each) => names.of(each), ...view(names) });
      });
    });
  return withWatchOptions(withOutputOptions(withRelayOptions(command)));
}
