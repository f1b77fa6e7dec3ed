// A command that changes one thing by its id, or all that match filters as an operation of the relay: the relay counts first, a
// person is asked, and the progress is shown until the operation ends.

import { setTimeout as delay } from "node:timers/promises";

import type { SluiceClient } from "@sluice/client/client";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { type Command, Option } from "commander";

import { type CliContext, note, stopWithProcess, terminalOf } from "../cli-context.ts";
import { type OutputOptions, printRecord, withOutputOptions } from "../output/print.ts";
import { findAccess, type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { connectTo } from "../relay/relay-api.ts";
import { type ApiObject, callEndpoint, type EndpointName, endpointOf } from "./call.ts";
import { confirm, type ConfirmOptions, withConfirmOption } from "./confirm.ts";
import { addFieldOptions, readFieldOptions } from "./fields.ts";
import { ShownNames, withTargetIds } from "./names.ts";

export interface BulkSpec {
  /** Also the verb in the question. */
  name: string;
  description: string;
  /** What the argument names. */
  argument: string;
  one: EndpointName;
  many: EndpointName;
  /** What many of them are called. */
  things: string;
}

interface BulkOptions extends RelayOptions, OutputOptions, ConfirmOptions {
  all?: boolean;
  dryRun?: boolean;
  wait: boolean;
}

const POLL_MS = 500;

export function addBulk(group: Command, context: CliContext, spec: BulkSpec): Command {
  const command = group
    .command(spec.name)
    .description(spec.description)
    .argument(`[${spec.argument}]`, "the id of one; without it, all that match the options");
  addFieldOptions(command, endpointOf(spec.many).body, { ...context, heading: "Filters and fields:" });
  command
    .addOption(new Option("--all", "all of them, when no filter is given").helpGroup("Filters and fields:"))
    .option("--dry-run", "only count, and change nothing")
    .option("--no-wait", "do not wait until the operation has ended");
  withConfirmOption(command);
  withOutputOptions(withRelayOptions(command));
  return command.action(async (id: string | undefined) => {
    const options: BulkOptions = command.opts();
    const access = findAccess(options, context);
    const client = connectTo(access);
    if (id === undefined) await changeMany(command, spec, { client, api: access.api, options, context });
    else await changeOne(command, id, spec, { client, api: access.api, options, context });
  });
}

interface BulkCall {
  client: SluiceClient;
  api: string;
  options: BulkOptions;
  context: CliContext;
}

async function changeOne(command: Command, id: string, spec: BulkSpec, { client, options, context }: BulkCall) {
  const fields = endpointOf(spec.one).body;
  const given = readFieldOptions(command, endpointOf(spec.many).body);
  const foreign = Object.keys(given).filter((name) => !fields.some((field) => field.name === name));
  if (foreign.length > 0 || options.all === true || options.dryRun === true) {
    const named = [...foreign.map((name) => `--${name.replaceAll("_", "-")}`), "--all", "--dry-run"];
    throw new SluiceError(
      "invalid_configuration",
      `Give an id, or options that choose ${spec.things}: ${foreign.length > 0 ? named[0] : "--all and --dry-run"} ` +
        "is for many",
    );
  }
  const body = await withTargetIds(client, given);
  const answer = await callEndpoint(client, spec.one, { path: { id }, ...(fields.length > 0 && { body }) });
  await printAnswer(answer, { client, options, context });
}

async function changeMany(command: Command, spec: BulkSpec, call: BulkCall): Promise<void> {
  const { client, api, options, context } = call;
  const given = await withTargetIds(client, readFieldOptions(command, endpointOf(spec.many).body));
  const body = { ...given, ...(options.all === true && { all: true }) };
  const preview = await callEndpoint(client, spec.many, { body: { ...body, dry_run: true } });
  if (options.dryRun === true) return printAnswer(preview, call);
  const count: number = preview.matched ?? preview.total;
  const atLeast = preview.complete === false ? "at least " : "";
  const byStatus = Object.entries((preview.by_status ?? {}) as Record<string, number>)
    .filter(([, one]) => one > 0)
    .map(([status, one]) => `${one} ${status}`);
  note(context, `${atLeast}${count} ${spec.things} match${byStatus.length > 0 ? ` (${byStatus.join(", ")})` : ""}.`);
  if (count === 0) return options.json === true ? printAnswer(preview, call) : undefined;
  const question = `${spec.name} ${atLeast}${count} ${spec.things} at ${api}?`;
  if (!(await confirm(question.charAt(0).toUpperCase() + question.slice(1), options, context))) return;
  const started = await callEndpoint(client, spec.many, { body });
  const ended = options.wait ? await followOperation(client, started, context) : started;
  await printAnswer(ended, call);
  if (ended.state === "failed")
    throw new SluiceError("internal", `The operation failed: ${ended.error ?? "no error given"}`);
}

/** Shows how far the operation is, on one line of a terminal. It goes on by itself when this command is stopped. */
async function followOperation(client: SluiceClient, started: ApiObject, context: CliContext): Promise<ApiObject> {
  const isTerminal = terminalOf(context.stderr) !== undefined;
  let operation = started;
  note(context, `The operation ${operation.id} runs in the relay; \`sluice operations get ${operation.id}\` shows it.`);
  const { signal } = stopWithProcess(context);
  while (operation.state === "running") {
    if (isTerminal) context.stderr.write(`\r\u001b[K${progressOf(operation)}`);
    await delay(POLL_MS, undefined, { signal }).catch((error: unknown) => {
      note(
        context,
        `${isTerminal ? "\n" : ""}The operation goes on: \`sluice operations cancel ${operation.id}\` stops it.`,
      );
      throw error;
    });
    operation = await callEndpoint(client, "getOperation", { path: { id: operation.id } });
  }
  if (isTerminal) context.stderr.write("\r\u001b[K");
  note(context, `${progressOf(operation)}, ${operation.state}`);
  return operation;
}

const progressOf = ({ done, failed, total }: ApiObject) =>
  `${done} of ${total ?? "?"} done${failed > 0 ? `, ${failed} left as they are` : ""}`;

async function printAnswer(answer: ApiObject, { client, options, context }: Omit<BulkCall, "api">): Promise<void> {
  const names = new ShownNames(client);
  if (options.json !== true) await names.load(answer);
  printRecord(context, options, answer, { nameOf: (id) => names.of(id) });
}
