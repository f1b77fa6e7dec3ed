// `sluice rejections`, `operations` and `set-aside`: the rest of the log.

import type { Command } from "commander";

import type { CliContext } from "../cli-context.ts";
import { addGet } from "../endpoint/get-command.ts";
import { addList } from "../endpoint/list-command.ts";
import { addVerb } from "../endpoint/verb-command.ts";
import { ID, nameColumn, plainColumn, stateColumn } from "./columns.ts";

export function addRejections(program: Command, context: CliContext): void {
  const group = program.command("rejections").description("list and read refused requests");
  addList(group, context, {
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
  addGet(group, context, { endpoint: "getRejection", argument: "rejection" });
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
