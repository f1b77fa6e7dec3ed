// `sluice stats`: what was counted over a time, what waited, and what was refused.

import type { Command } from "commander";

import type { CliContext } from "../cli-context.ts";
import { type ApiObject, callEndpoint, type EndpointName, endpointOf } from "../endpoint/call.ts";
import { addFieldOptions, readFieldOptions } from "../endpoint/fields.ts";
import { lowerFirst, refuseExcess } from "../endpoint/list-command.ts";
import { ShownNames, withTargetIds } from "../endpoint/names.ts";
import { showOnceOrMore, type WatchOptions, withWatchOptions } from "../endpoint/watch.ts";
import { type OutputOptions, printRecord, withOutputOptions } from "../output/print.ts";
import type { RecordView } from "../output/record.ts";
import type { Column } from "../output/table.ts";
import { durationText } from "../output/times.ts";
import { type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { openRelayApi } from "../relay/relay-api.ts";
import { nameColumn, plainColumn } from "./columns.ts";

interface FiguresSpec {
  /** `list` is what the group does when no command is named. */
  name: string;
  endpoint: EndpointName;
  tables: (names: ShownNames) => RecordView["tables"];
}

export function addStats(program: Command, context: CliContext): void {
  const group = program.command("stats").description("count what came, what waited, and what was refused");
  addFigures(group, context, {
    name: "list",
    endpoint: "getStats",
    tables: (names) => ({ data: statsColumns(names), "now.waiting": waitingNowColumns(names) }),
  });
  addFigures(group, context, {
    name: "waiting",
    endpoint: "getStatsWaiting",
    tables: (names) => ({ data: waitingColumns(names) }),
  });
  addFigures(group, context, {
    name: "rejections",
    endpoint: "getStatsRejections",
    tables: (names) => ({ data: rejectionColumns(names) }),
  });
}

function addFigures(group: Command, context: CliContext, { name, endpoint, tables }: FiguresSpec): void {
  const { summary, query } = endpointOf(endpoint);
  const command = group.command(name, { isDefault: name === "list" }).description(lowerFirst(summary));
  command.allowExcessArguments();
  addFieldOptions(command, query, { ...context, heading: "Filters:" });
  withWatchOptions(withOutputOptions(withRelayOptions(command)));
  command.action(async (options: RelayOptions & OutputOptions & WatchOptions) => {
    refuseExcess(command);
    const client = openRelayApi(options, context);
    const given = await withTargetIds(client, readFieldOptions(command, query));
    const names = new ShownNames(client);
    await showOnceOrMore(context, options, async (surface) => {
      const stats = await callEndpoint(client, endpoint, { query: given });
      if (options.json !== true) await names.load(stats);
      printRecord(surface, options, stats, { nameOf: (id) => names.of(id), tables: tables(names) ?? {} });
    });
  });
}

const statsColumns = (names: ShownNames): Column<ApiObject>[] => [
  plainColumn("start"),
  { title: "GROUP", value: ({ group }) => names.or(group), shrinksTo: 10 },
  plainColumn("events", { isNumber: true }),
  { title: "CREATED", value: ({ deliveries }) => deliveries.created, isNumber: true, spare: 2 },
  { title: "SUCCEEDED", value: ({ deliveries }) => deliveries.succeeded, isNumber: true },
  { title: "EXHAUSTED", value: ({ deliveries }) => deliveries.exhausted, isNumber: true },
  { title: "CANCELLED", value: ({ deliveries }) => deliveries.cancelled, isNumber: true, spare: 4 },
  { title: "ATTEMPTS", value: ({ attempts }) => attempts.succeeded + attempts.failed, isNumber: true, spare: 1 },
  { title: "FAILED", value: ({ attempts }) => attempts.failed, isNumber: true, spare: 1 },
  { title: "P50 MS", value: ({ latency_ms: latency }) => latency?.p50, isNumber: true, spare: 5 },
  { title: "P99 MS", value: ({ latency_ms: latency }) => latency?.p99, isNumber: true, spare: 3 },
];

const waitingNowColumns = (names: ShownNames): Column<ApiObject>[] => [
  nameColumn("target", names),
  plainColumn("count", { isNumber: true }),
  plainColumn("oldest_created_at", { title: "OLDEST" }),
];

const waitingColumns = (names: ShownNames): Column<ApiObject>[] => [
  plainColumn("start"),
  { title: "TARGET", value: ({ target }) => (target === null ? "(all others)" : names.or(target)), shrinksTo: 8 },
  plainColumn("waiting", { isNumber: true }),
  { title: "OLDEST", value: ({ oldest_seconds: seconds }) => (seconds === 0 ? null : durationText(seconds)) },
];

const rejectionColumns = (names: ShownNames): Column<ApiObject>[] => [
  nameColumn("source", names),
  plainColumn("reason", { shrinksTo: 12 }),
  plainColumn("count", { isNumber: true }),
  plainColumn("newest_at", { title: "NEWEST", spare: 1 }),
];
