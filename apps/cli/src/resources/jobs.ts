// `sluice jobs`: the jobs at Gemini whose ends the relay waits for.

import type { Command } from "commander";

import type { CliContext } from "../cli-context.ts";
import { addGet } from "../endpoint/get-command.ts";
import { addList } from "../endpoint/list-command.ts";
import { addVerb } from "../endpoint/verb-command.ts";
import { ID, nameColumn, plainColumn, stateColumn } from "./columns.ts";

export function addGeminiJobs(program: Command, context: CliContext): void {
  const group = program.command("jobs").description("list, read and announce jobs at Gemini");
  addList(group, context, {
    endpoint: "listJobs",
    columns: (names) => [
      ID,
      plainColumn("kind"),
      stateColumn("status"),
      plainColumn("name", { shrinksTo: 12 }),
      nameColumn("source", names, { spare: 1 }),
      plainColumn("expected_at", { title: "EXPECTED", spare: 2 }),
      plainColumn("problem", { shrinksTo: 12, spare: 3 }),
    ],
  });
  addGet(group, context, { endpoint: "getJob", argument: "job" });
  addVerb(group, context, { name: "create", endpoint: "createJob" });
  addVerb(group, context, { name: "update", endpoint: "updateJob", argument: "job" });
}
