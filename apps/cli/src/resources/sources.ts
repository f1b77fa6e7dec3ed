// `sluice sources` and `sluice upstream`: where events come from, and their webhooks at Gemini.

import type { Command } from "commander";

import type { CliContext } from "../cli-context.ts";
import { addGet } from "../endpoint/get-command.ts";
import { addList } from "../endpoint/list-command.ts";
import { addVerb } from "../endpoint/verb-command.ts";
import { ID, plainColumn } from "./columns.ts";

const ON_SOURCE = { argument: "source", kind: "source" } as const;

export function addSources(program: Command, context: CliContext): void {
  const group = program.command("sources").description("list, create, change and delete sources");
  addList(group, context, {
    endpoint: "listSources",
    columns: () => [
      plainColumn("name", { shrinksTo: 12 }),
      plainColumn("kind"),
      plainColumn("schemes", { spare: 2 }),
      plainColumn("ingress_path", { title: "PATH", shrinksTo: 16 }),
      { title: "UPSTREAM", value: ({ upstream }) => upstream?.state, spare: 1 },
      { ...ID, spare: 3 },
    ],
  });
  addGet(group, context, { endpoint: "getSource", ...ON_SOURCE });
  addVerb(group, context, { name: "create", endpoint: "createSource" });
  addVerb(group, context, { name: "update", endpoint: "updateSource", ...ON_SOURCE });
  addVerb(group, context, { name: "rotate", endpoint: "createSourceSigningSecret", ...ON_SOURCE });
  addVerb(group, context, { name: "callback-url", endpoint: "createSourceCallbackUrl", ...ON_SOURCE });
  const token = group.command("token").description("create and revoke the ingress tokens of a dynamic source");
  addVerb(token, context, { name: "create", endpoint: "createSourceIngressToken", ...ON_SOURCE });
  addVerb(token, context, {
    name: "revoke",
    endpoint: "deleteSourceIngressToken",
    ...ON_SOURCE,
    second: { argument: "token", parameter: "token_id" },
    question: (source) => `Revoke the token of ${source}? What is sent to its address is refused from then on.`,
    done: () => "The token is revoked.",
  });
  addVerb(group, context, {
    name: "delete",
    endpoint: "deleteSource",
    ...ON_SOURCE,
    question: (source) => `Delete the source ${source}? What is sent to its address is refused from then on.`,
    done: (source) => `The source ${source} is deleted.`,
  });
}

export function addUpstream(program: Command, context: CliContext): void {
  const group = program
    .command("upstream")
    .description("the webhook of a source at Gemini: read, register, rotate, heal");
  addGet(group, context, { endpoint: "getSourceUpstream", ...ON_SOURCE });
  addVerb(group, context, { name: "register", endpoint: "registerSourceUpstream", ...ON_SOURCE });
  addVerb(group, context, { name: "update", endpoint: "updateSourceUpstream", ...ON_SOURCE });
  for (const [name, endpoint] of [
    ["check", "checkSourceUpstream"],
    ["rotate", "rotateSourceUpstream"],
    ["heal", "healSourceUpstream"],
  ] as const)
    addVerb(group, context, { name, endpoint, ...ON_SOURCE });
  addVerb(group, context, {
    name: "deregister",
    endpoint: "deregisterSourceUpstream",
    ...ON_SOURCE,
    question: (source) => `Delete the webhook of ${source} at Gemini?`,
    done: (source) => `The source ${source} has no webhook at Gemini any more.`,
  });
}
