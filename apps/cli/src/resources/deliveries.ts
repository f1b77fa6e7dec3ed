// `sluice deliveries` and `sluice attempts`: what went out, or will.

import type { Command } from "commander";

import type { CliContext } from "../cli-context.ts";
import { addBulk } from "../endpoint/bulk-command.ts";
import { addGet } from "../endpoint/get-command.ts";
import { addList } from "../endpoint/list-command.ts";
import { styleOfStatusCode } from "../output/style.ts";
import { ATTEMPT_COLUMNS, ID, nameColumn, plainColumn, stateColumn } from "./columns.ts";

export function addDeliveries(program: Command, context: CliContext): void {
  const group = program.command("deliveries").description("list, read, retry and cancel deliveries");
  addList(group, context, {
    endpoint: "listDeliveries",
    columns: (names) => [
      ID,
      plainColumn("created_at", { title: "CREATED", spare: 1 }),
      stateColumn("status"),
      nameColumn("target", names),
      plainColumn("event_type", { title: "TYPE", shrinksTo: 10 }),
      plainColumn("attempt_count", { title: "TRIES", isNumber: true, spare: 4 }),
      {
        title: "CODE",
        value: ({ last_status_code: code }) => code,
        style: ({ last_status_code: code }) => styleOfStatusCode(code),
        spare: 2,
      },
      plainColumn("next_attempt_at", { title: "NEXT", spare: 5 }),
      plainColumn("last_error", { title: "ERROR", shrinksTo: 10, spare: 6 }),
    ],
  });
  addGet(group, context, {
    endpoint: "getDelivery",
    argument: "delivery",
    view: () => ({ tables: { attempts: ATTEMPT_COLUMNS } }),
  });
  for (const [name, description, one, many] of [
    ["retry", "make a delivery due now, or all that match", "retryDelivery", "retryDeliveries"],
    ["cancel", "make no more attempts at a delivery, or at all that match", "cancelDelivery", "cancelDeliveries"],
  ] as const)
    addBulk(group, context, { name, description, argument: "delivery", one, many, things: "deliveries" });
}

export function addAttempts(program: Command, context: CliContext): void {
  const group = program.command("attempts").description("list and read attempts");
  addList(group, context, {
    endpoint: "listAttempts",
    columns: (names) => [
      ID,
      plainColumn("started_at", { title: "STARTED" }),
      nameColumn("target", names),
      plainColumn("number", { title: "#", isNumber: true, spare: 1 }),
      {
        title: "CODE",
        value: ({ status_code: code }) => code,
        style: ({ status_code: code }) => styleOfStatusCode(code),
      },
      { title: "MS", value: ({ duration_ms: ms }) => Math.round(ms), isNumber: true },
      plainColumn("event_type", { title: "TYPE", shrinksTo: 10, spare: 3 }),
      plainColumn("error", { shrinksTo: 10, spare: 4 }),
    ],
  });
  addGet(group, context, { endpoint: "getAttempt", argument: "attempt" });
}
