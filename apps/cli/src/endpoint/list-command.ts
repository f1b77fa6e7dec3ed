// A command that shows a list of the API: its filters are options, and its pages become one table, or one object in each line.

import type { SluiceClient } from "@sluice/client/client";
import { type Command, Option } from "commander";

import { type CliContext, note, terminalOf } from "../cli-context.ts";
import { wholeNumber } from "../options.ts";
import { type OutputOptions, printRows, withOutputOptions } from "../output/print.ts";
import type { Column } from "../output/table.ts";
import { type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { openRelayApi } from "../relay/relay-api.ts";
import { type ApiObject, callEndpoint, type EndpointName, endpointOf } from "./call.ts";
import { addFieldOptions, readFieldOptions } from "./fields.ts";
import { ShownNames, withTargetIds } from "./names.ts";
import { showOnceOrMore, type WatchOptions, withWatchOptions } from "./watch.ts";

export interface ListSpec {
  endpoint: EndpointName;
  columns: (names: ShownNames) => readonly Column<ApiObject>[];
}

interface ListOptions extends RelayOptions, OutputOptions, WatchOptions {
  limit: number;
  all?: boolean;
}

const PAGE_LIMIT = 250;
const DEFAULT_LIMIT = 50;
/** The titles, and the line in which the cursor stands. */
const LINES_AROUND = 2;

/** Adds `list` to a group, as what the group does when no command is named. */
export function addList(group: Command, context: CliContext, { endpoint: name, columns }: ListSpec): Command {
  const endpoint = endpointOf(name);
  const command = group.command("list", { isDefault: true });
  command.description(lowerFirst(endpoint.summary)).allowExcessArguments();
  addFieldOptions(command, endpoint.query, { ...context, heading: "Filters:" });
  command
    .addOption(
      new Option("--limit <number>", "show so many at most")
        .default(DEFAULT_LIMIT)
        .argParser(wholeNumber(1))
        .helpGroup("Output:"),
    )
    .addOption(new Option("--all", "show all, to the end of the list").helpGroup("Output:"));
  withWatchOptions(withOutputOptions(withRelayOptions(command)));
  return command.action(async (options: ListOptions) => {
    refuseExcess(command);
    const client = openRelayApi(options, context);
    const query = await withTargetIds(client, readFieldOptions(command, endpoint.query));
    const names = new ShownNames(client);
    await showOnceOrMore(context, options, (surface) =>
      showList(
        {
          client,
          name,
          query,
          names,
          columns: columns(names),
          options,
          isLimited: command.getOptionValueSource("limit") === "cli",
        },
        surface,
      ),
    );
  });
}

/** The default command of a group gets the name of a command that does not exist. It MUST allow excess arguments. */
export function refuseExcess(command: Command): void {
  const [excess] = command.args;
  if (excess !== undefined) command.error(`error: unknown command '${excess}'`, { exitCode: 2 });
}

interface ShownList {
  client: SluiceClient;
  name: EndpointName;
  query: object;
  names: ShownNames;
  columns: readonly Column<ApiObject>[];
  options: ListOptions;
  /** Whether somebody asked for just so many. */
  isLimited: boolean;
}

async function showList({ client, name, query, names, columns, options, isLimited }: ShownList, context: CliContext) {
  const limit = limitOf(options, context);
  const pages = readPages({ client, name, query, limit });
  const gathered: ApiObject[] = [];
  let count = 0;
  let isWhole = true;
  for await (const { rows, hasMore } of pages) {
    count += rows.length;
    isWhole = !hasMore;
    if (options.json !== true) await names.load(rows);
    // A list to its end is shown page by page, because it may be long.
    if (options.all === true || options.json === true)
      printRows(context, options, rows, columns, count === rows.length);
    else gathered.push(...rows);
  }
  printRows(context, options, gathered, columns);
  if (count === 0) note(context, "There are none.");
  else if (!isWhole && !isLimited && options.watch !== true)
    note(context, "There are more: --limit shows so many, --all shows all.");
}

/** What is watched must not run out of the screen. */
function limitOf({ all, limit, watch }: ListOptions, { stdout }: CliContext): number {
  if (all === true) return Infinity;
  const rows = watch === true ? terminalOf(stdout)?.rows : undefined;
  return rows === undefined ? limit : Math.max(1, Math.min(limit, rows - LINES_AROUND));
}

interface ReadPages extends Pick<ShownList, "client" | "name" | "query"> {
  limit: number;
}

async function* readPages({
  client,
  name,
  query,
  limit,
}: ReadPages): AsyncGenerator<{ rows: ApiObject[]; hasMore: boolean }> {
  let left = limit;
  let cursor: string | null = null;
  do {
    const page: ApiObject = await callEndpoint(client, name, {
      query: { ...query, limit: Math.min(PAGE_LIMIT, left), ...(cursor !== null && { cursor }) },
    });
    const rows: ApiObject[] = page.data;
    left -= rows.length;
    cursor = page.next_cursor;
    yield { rows, hasMore: cursor !== null };
  } while (cursor !== null && left > 0);
}

export const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);
