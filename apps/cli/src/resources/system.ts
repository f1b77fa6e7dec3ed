// `sluice system`: the settings of the gateway that answers, and what it logged of late.

import type { Schemas } from "@sluice/client/client";
import type { Command } from "commander";

import { type CliContext, note } from "../cli-context.ts";
import { callEndpoint, type EndpointName, endpointOf } from "../endpoint/call.ts";
import { lowerFirst } from "../endpoint/list-command.ts";
import { showOnceOrMore, type WatchOptions, withWatchOptions } from "../endpoint/watch.ts";
import { type OutputOptions, printRows, withOutputOptions } from "../output/print.ts";
import type { Column } from "../output/table.ts";
import { logDetail } from "../output/log-detail.ts";
import { type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { openRelayApi } from "../relay/relay-api.ts";
import { plainColumn } from "./columns.ts";

export function addSystem(program: Command, context: CliContext): void {
  const group = program
    .command("system")
    .description("read the settings of a gateway, and its latest warnings and errors");
  addRows(group, context, { name: "settings", endpoint: "getSystemSettings", columns: SETTING_COLUMNS });
  addRows(group, context, { name: "log", endpoint: "getSystemLog", columns: LOG_COLUMNS });
}

interface RowsSpec<Row extends object> {
  name: string;
  endpoint: EndpointName;
  columns: readonly Column<Row>[];
}

/** A list without pages and without filters. */
function addRows<Row extends object>(group: Command, context: CliContext, { name, endpoint, columns }: RowsSpec<Row>) {
  const command = group
    .command(name)
    .description(lowerFirst(endpointOf(endpoint).summary))
    .action(async (options: RelayOptions & OutputOptions & WatchOptions) => {
      const client = openRelayApi(options, context);
      await showOnceOrMore(context, options, async (surface) => {
        const { data } = await callEndpoint(client, endpoint);
        printRows(surface, options, data as Row[], columns);
        if (data.length === 0) note(context, "There are none.");
      });
    });
  withWatchOptions(withOutputOptions(withRelayOptions(command)));
}

const SETTING_COLUMNS: readonly Column<Schemas["SystemSetting"]>[] = [
  { title: "SETTING", value: ({ name }) => name },
  { title: "IS", value: ({ is_set: isSet }) => (isSet ? "set" : "default") },
  {
    title: "VALUE",
    value: ({ value, is_secret: isSecret, is_set: isSet }) => (isSecret && isSet ? "[secret]" : value),
    shrinksTo: 20,
  },
];

const LOG_COLUMNS: readonly Column<Schemas["SystemLogLine"]>[] = [
  plainColumn("time"),
  { title: "LEVEL", value: ({ level }) => level, style: ({ level }) => (level === "warn" ? "yellow" : "red") },
  { title: "MESSAGE", value: ({ message }) => message, shrinksTo: 20 },
  { title: "DETAIL", value: (line) => logDetail(line), shrinksTo: 20, spare: 1 },
];
