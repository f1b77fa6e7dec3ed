// `sluice events`: what came in.

import type { Command } from "commander";

import { type CliContext, note, terminalOf } from "../cli-context.ts";
import { addBulk } from "../endpoint/bulk-command.ts";
import { callEndpoint, endpointOf } from "../endpoint/call.ts";
import { addGet } from "../endpoint/get-command.ts";
import { addList, lowerFirst } from "../endpoint/list-command.ts";
import { addVerb } from "../endpoint/verb-command.ts";
import { visibleText } from "../output/text.ts";
import { type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { asked, openRelayApi } from "../relay/relay-api.ts";
import { deliveryColumns, ID, nameColumn, plainColumn } from "./columns.ts";

export function addEvents(program: Command, context: CliContext): void {
  const group = program.command("events").description("list, read, replay and erase events");
  addList(group, context, {
    endpoint: "listEvents",
    columns: (names) => [
      ID,
      plainColumn("received_at", { title: "RECEIVED" }),
      plainColumn("type", { shrinksTo: 12 }),
      nameColumn("source", names),
      plainColumn("scheme", { spare: 3 }),
      plainColumn("size_bytes", { title: "BYTES", isNumber: true, spare: 2 }),
      plainColumn("webhook_id", { shrinksTo: 12, spare: 4 }),
    ],
  });
  addGet(group, context, {
    endpoint: "getEvent",
    argument: "event",
    view: (names) => ({ tables: { deliveries: deliveryColumns(names) } }),
  });
  addBody(group, context);
  addBulk(group, context, {
    name: "replay",
    description: "send an event again, or all events that match",
    argument: "event",
    one: "replayEvent",
    many: "replayEvents",
    things: "events",
  });
  addVerb(group, context, {
    name: "erase",
    endpoint: "eraseEvent",
    argument: "event",
    question: (event) => `Erase what ${event} contains, for good?`,
  });
}

function addBody(group: Command, context: CliContext): void {
  const command = group
    .command("body")
    .description(lowerFirst(endpointOf("getEventBody").summary))
    .argument("<event>", "its id")
    .action(async (id: string, options: RelayOptions) => {
      const client = openRelayApi(options, context);
      // Read first as JSON, so that an event without a body is an error as everywhere.
      const { body_removed_at: removed } = await callEndpoint(client, "getEvent", { path: { id } });
      if (removed !== null) note(context, `The body was removed at ${removed}.`);
      const answer = await asked(
        client.get("/v1/events/{id}/body", { params: { path: { id } }, parseAs: "arrayBuffer" }),
      );
      const bytes = Buffer.from(answer);
      // Exactly, to a file or a program. A terminal must not run what a sender wrote.
      if (terminalOf(context.stdout) === undefined) context.stdout.write(bytes);
      else context.stdout.write(`${bytes.toString().split("\n").map(visibleText).join("\n")}\n`);
    });
  withRelayOptions(command);
}
