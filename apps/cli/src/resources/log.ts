// `sluice rejections`, `operations`, `set-aside` and `stats`: the rest of the log.

import type { Command } from "commander";

import type { CliContext } from "../cli-context.ts";
import { type ApiObject, callEndpoint, endpointOf } from "../endpoint/call.ts";
import { addFieldOptions, readFieldOptions } from "../endpoint/fields.ts";
import { addGet } from "../endpoint/get-command.ts";
import { addList, lowerFirst, makeList } from "../endpoint/list-command.ts";
import { ShownNames, withTargetIds } from "../endpoint/names.ts";
import { addVerb } from "../endpoint/verb-command.ts";
import { showOnceOrMore, type WatchOptions, withWatchOptions } from "../endpoint/watch.ts";
import { type OutputOptions, printRecord, withOutputOptions } from "../output/print.ts";
import type { Column } from "../output/table.ts";
import { type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { openRelayApi } from "../relay/relay-api.ts";
import { ID, nameColumn, plainColumn, stateColumn } from "./columns.ts";

export function addRejections(program: Command, context: CliContext): void {
  makeList(program.command("rejections"), context, {
    endpoint: "listRejections",
    columns: (names) => [
      plainColumn("created_at", { title: "TIME" }),
      nameColumn("source", names),
      plainColumn("reason", { shrinksTo: 12 }),
      plainColumn("count", { isNumber: true, spare: 1 }),
      plainColumn("detail", { shrinksTo: 14 }),
      plainColumn("remote_address", { title: "FROM", spare: 2 }),
      plainColumn("webhook_id", { shrinksTo: 12, spare: 3 }),
      { ...ID, spare: 4 },
    ],
  });
}

export function addOperations(program: Command, context: CliContext): void {
  const group = program
    .command("operations")
    .description("list, read and stop operations on many deliveries or events");
  addList(group, context, {
    endpoint: "listOperations",
    columns: () => [
      ID,
      plainColumn("kind", { shrinksTo: 10 }),
      stateColumn(),
      { title: "DONE", value: ({ done, total }) => `${done}/${total ?? "?"}` },
      plainColumn("failed", { title: "LEFT", isNumber: true, spare: 2 }),
      plainColumn("created_at", { title: "CREATED", spare: 1 }),
      { title: "BY", value: ({ created_by: by }) => by.name, shrinksTo: 10, spare: 3 },
    ],
  });
  addGet(group, context, { endpoint: "getOperation", argument: "operation" });
  addVerb(group, context, { name: "cancel", endpoint: "cancelOperation", argument: "operation" });
}

export function addSetAside(program: Command, context: CliContext): void {
  const group = program.command("set-aside").description("list, retry and discard events that could not be stored");
  addList(group, context, {
    endpoint: "listSetAsideEvents",
    columns: (names) => [
      ID,
      plainColumn("failed_at", { title: "FAILED" }),
      nameColumn("source", names),
      plainColumn("store", { spare: 1 }),
      plainColumn("starts", { isNumber: true, spare: 2 }),
      plainColumn("error", { shrinksTo: 16 }),
    ],
  });
  addGet(group, context, { endpoint: "getSetAsideEvent", argument: "event" });
  addVerb(group, context, { name: "retry", endpoint: "retrySetAsideEvent", argument: "event" });
  addVerb(group, context, { name: "retry-all", endpoint: "retrySetAsideEvents" });
  addVerb(group, context, {
    name: "discard",
    endpoint: "deleteSetAsideEvent",
    argument: "event",
    question: (event) => `Discard ${event}, an event that was acknowledged to its sender, for good?`,
  });
}

export function addStats(program: Command, context: CliContext): void {
  const { summary, query } = endpointOf("getStats");
  const command = program.command("stats").description(lowerFirst(summary));
  addFieldOptions(command, query, { ...context, heading: "Filters:" });
  withWatchOptions(withOutputOptions(withRelayOptions(command)));
  command.action(async (options: RelayOptions & OutputOptions & WatchOptions) => {
    const client = openRelayApi(options, context);
    const given = await withTargetIds(client, readFieldOptions(command, query));
    const names = new ShownNames(client);
    await showOnceOrMore(context, options, async (surface) => {
      const stats = await callEndpoint(client, "getStats", { query: given });
      if (options.json !== true) await names.load(stats);
      printRecord(surface, options, stats, {
        nameOf: (id) => names.of(id),
        tables: { data: statsColumns(names), "now.waiting": waitingColumns(names) },
      });
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

const waitingColumns = (names: ShownNames): Column<ApiObject>[] => [
  nameColumn("target", names),
  plainColumn("count", { isNumber: true }),
  plainColumn("oldest_created_at", { title: "OLDEST" }),
];
