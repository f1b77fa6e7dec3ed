// `sluice targets`: where events go.

import type { Command } from "commander";

import type { CliContext } from "../cli-context.ts";
import { addGet } from "../endpoint/get-command.ts";
import { addList } from "../endpoint/list-command.ts";
import { addVerb } from "../endpoint/verb-command.ts";
import type { ApiObject } from "../endpoint/call.ts";
import type { ShownNames } from "../endpoint/names.ts";
import { type Style, styleOfState } from "../output/style.ts";
import type { Column } from "../output/table.ts";
import { ID, nameColumn, plainColumn, stateColumn } from "./columns.ts";

const ON_TARGET = { argument: "target", kind: "target" } as const;

export function addTargets(program: Command, context: CliContext): void {
  const group = program.command("targets").description("list, create, change, test and delete targets");
  addList(group, context, {
    endpoint: "listTargets",
    columns: () => [
      plainColumn("name", { shrinksTo: 12 }),
      stateColumn(),
      {
        title: "BREAKER",
        value: ({ health }) => health.breaker,
        style: ({ health }) => styleOfState(health.breaker),
        spare: 2,
      },
      plainColumn("kind", { spare: 3 }),
      plainColumn("uri", { shrinksTo: 28 }),
      plainColumn("subscribed_events", { title: "EVENTS", shrinksTo: 10, spare: 4 }),
      { ...ID, spare: 1 },
    ],
  });
  addGet(group, context, { endpoint: "getTarget", ...ON_TARGET });
  addVerb(group, context, { name: "create", endpoint: "createTarget" });
  addVerb(group, context, { name: "update", endpoint: "updateTarget", ...ON_TARGET });
  addVerb(group, context, {
    name: "test",
    endpoint: "testTarget",
    ...ON_TARGET,
    failure: ({ attempt, delivery }) => {
      if (attempt === null) return "No worker has made the attempt yet: is one running?";
      if (delivery.status === "succeeded") return undefined;
      return `The target does not take the event: ${attempt.error ?? `it answered ${attempt.status_code}`}`;
    },
  });
  addVerb(group, context, {
    name: "try-filter",
    endpoint: "tryTargetsFilter",
    view: (names) => ({ tables: { data: triedColumns(names) } }),
  });
  for (const [name, endpoint] of [
    ["pause", "pauseTarget"],
    ["resume", "resumeTarget"],
    ["enable", "enableTarget"],
    ["disable", "disableTarget"],
  ] as const)
    addVerb(group, context, { name, endpoint, ...ON_TARGET });
  addVerb(group, context, { name: "rotate", endpoint: "rotateTargetSecret", ...ON_TARGET });
  addVerb(group, context, {
    name: "delete",
    endpoint: "deleteTarget",
    ...ON_TARGET,
    question: (target) => `Delete the target ${target}, and cancel what waits for it?`,
    done: (target) => `The target ${target} is deleted.`,
  });
}

const triedColumns = (names: ShownNames): Column<ApiObject>[] => [
  { title: "EVENT", value: ({ event }) => event },
  plainColumn("received_at", { title: "RECEIVED", spare: 2 }),
  plainColumn("type", { shrinksTo: 12 }),
  nameColumn("source", names, { spare: 1 }),
  { title: "RESULT", value: ({ result }) => result, style: ({ result }) => RESULT_STYLES[result] },
  plainColumn("error", { shrinksTo: 12, spare: 3 }),
];

const RESULT_STYLES: Record<string, Style> = { matched: "green", failed: "red" };
