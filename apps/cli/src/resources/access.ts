// `sluice keys` and `sluice audit`: who may call the API, and who changed what.

import type { Command } from "commander";

import type { CliContext } from "../cli-context.ts";
import { addGet } from "../endpoint/get-command.ts";
import { addList } from "../endpoint/list-command.ts";
import { addVerb } from "../endpoint/verb-command.ts";
import { ID, plainColumn, stateColumn } from "./columns.ts";

const ON_KEY = { argument: "key", kind: "key" } as const;

export function addKeys(program: Command, context: CliContext): void {
  const group = program.command("keys").description("list, create and revoke API keys");
  addList(group, context, {
    endpoint: "listKeys",
    columns: () => [
      plainColumn("name", { shrinksTo: 12 }),
      stateColumn(),
      plainColumn("scopes"),
      plainColumn("truncated_key", { title: "KEY", spare: 3 }),
      plainColumn("last_used_at", { title: "LAST USED", spare: 1 }),
      plainColumn("expires_at", { title: "EXPIRES", spare: 2 }),
      { ...ID, spare: 4 },
    ],
  });
  addGet(group, context, { endpoint: "getKey", ...ON_KEY });
  addVerb(group, context, { name: "create", endpoint: "createKey" });
  addVerb(group, context, {
    name: "revoke",
    endpoint: "revokeKey",
    ...ON_KEY,
    question: (key) => `Revoke the key ${key}? It stops working at once and for good.`,
  });
}

export function addAudit(program: Command, context: CliContext): void {
  const group = program.command("audit").description("list and read the changes that were made through the API");
  addList(group, context, {
    endpoint: "listAudit",
    columns: () => [
      plainColumn("created_at", { title: "TIME" }),
      { title: "ACTOR", value: ({ actor }) => actor.name, shrinksTo: 10 },
      plainColumn("action", { shrinksTo: 14 }),
      { title: "RESOURCE", value: ({ resource }) => resource.id, shrinksTo: 16 },
      plainColumn("remote_address", { title: "FROM", spare: 1 }),
      plainColumn("request_id", { title: "REQUEST", spare: 3 }),
      { ...ID, spare: 2 },
    ],
  });
  addGet(group, context, { endpoint: "getAudit", argument: "entry" });
}
