// A command that changes one thing, or makes one: the fields of the request are options, and the answer is shown.

import type { ApiField } from "@sluice/client/api-endpoint";
import type { SluiceClient } from "@sluice/client/client";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { type Command, Option } from "commander";

import { helpNote } from "../output/help-note.ts";
import { type CliContext, note } from "../cli-context.ts";
import { readInput } from "../options.ts";
import { type OutputOptions, printRecord, withOutputOptions } from "../output/print.ts";
import type { RecordView } from "../output/record.ts";
import { type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { openRelayApi } from "../relay/relay-api.ts";
import { type ApiObject, callEndpoint, type EndpointName, endpointOf } from "./call.ts";
import { confirm, type ConfirmOptions, withConfirmOption } from "./confirm.ts";
import { addFieldOptions, readFieldOptions } from "./fields.ts";
import { lowerFirst } from "./list-command.ts";
import { findId, type NamedKind, ShownNames, withTargetIds } from "./names.ts";

export interface VerbSpec {
  name: string;
  endpoint: EndpointName;
  /** What the first argument names; undefined for a command that makes something. */
  argument?: string;
  kind?: NamedKind;
  /** A parameter of the path beside `id`, which is an argument, too. */
  second?: { argument: string; parameter: string };
  /** Asked before. `what` is how the caller named the thing. */
  question?: (what: string) => string;
  /** Said when there is nothing to show. */
  done?: (what: string) => string;
  view?: (names: ShownNames) => RecordView;
  /** Why what was asked for failed, although the relay answered; the command then ends with 1. */
  failure?: (answer: ApiObject) => string | undefined;
}

interface VerbOptions extends RelayOptions, OutputOptions, ConfirmOptions {
  data?: string;
  force?: boolean;
}

export function addVerb(group: Command, context: CliContext, spec: VerbSpec): Command {
  const endpoint = endpointOf(spec.endpoint);
  const command = group.command(spec.name).description(lowerFirst(endpoint.summary));
  if (spec.argument !== undefined)
    command.argument(`<${spec.argument}>`, spec.kind === undefined ? "its id" : "its name or its id");
  if (spec.second !== undefined) command.argument(`<${spec.second.argument}>`, "its id");
  addFieldOptions(command, endpoint.body, { ...context, heading: "Fields:" });
  if (endpoint.body.length > 0) {
    const description = "the request as JSON, before the other options; @file reads a file, - reads stdin";
    command.addOption(new Option("--data <json>", description).helpGroup("Fields:"));
    command.addHelpText(
      "after",
      helpNote("A value that begins with @ is read from that file, so that secrets need not be arguments."),
    );
  }
  if (endpoint.takesForce) command.option("--force", "also change what a file of settings manages");
  if (spec.question !== undefined) withConfirmOption(command);
  withOutputOptions(withRelayOptions(command));
  return command.action(async () => {
    const options: VerbOptions = command.opts();
    const [what = "", second = ""] = command.args;
    const client = openRelayApi(options, context);
    const body =
      endpoint.body.length === 0
        ? undefined
        : await readBodyOptions({ command, fields: endpoint.body, data: options.data, client }, context);
    if (spec.question !== undefined && !(await confirm(spec.question(what), options, context))) return;
    const id = spec.kind === undefined ? what : await findId(client, spec.kind, what);
    const answer = await callEndpoint(client, spec.endpoint, {
      path: { ...(spec.argument !== undefined && { id }), ...(spec.second && { [spec.second.parameter]: second }) },
      ...(body !== undefined && { body }),
      isForced: options.force === true,
    });
    await showAnswer(answer, what, spec, { client, options, context });
  });
}

interface Shown {
  client: SluiceClient;
  options: VerbOptions;
  context: CliContext;
}

async function showAnswer(answer: ApiObject, what: string, spec: VerbSpec, { client, options, context }: Shown) {
  if (answer === undefined) return note(context, spec.done?.(what) ?? "Done.");
  const names = new ShownNames(client);
  if (options.json !== true) await names.load(answer);
  printRecord(context, options, answer, { nameOf: (each) => names.of(each), ...spec.view?.(names) });
  const secrets = Object.keys(answer).filter((name) =>
    ["new_signing_secret", "new_ingress_token", "key", "token"].includes(name),
  );
  const failure = spec.failure?.(answer);
  if (failure !== undefined) throw new Error(failure);
  if (secrets.length > 0) note(context, `Keep ${secrets.join(" and ")}: it is shown only now.`);
}

interface GivenBody {
  command: Command;
  fields: readonly ApiField[];
  data: string | undefined;
  client: SluiceClient;
}

/** The JSON of `--data`, with the fields that have options of their own. */
async function readBodyOptions({ command, fields, data, client }: GivenBody, context: CliContext): Promise<object> {
  const given = data === undefined ? {} : parseObject(await readDataOption(data, context));
  return withTargetIds(client, mergeObjects(given, readFieldOptions(command, fields)));
}

async function readDataOption(data: string, context: CliContext): Promise<string> {
  if (data !== "-" && !data.startsWith("@")) return data;
  return (await readInput(data.replace(/^@/, ""), context)).toString("utf8");
}

function parseObject(json: string): object {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // The message is the same.
  }
  throw new SluiceError("invalid_configuration", "--data must be a JSON object");
}

/** Options override what they name, and leave the other fields of an object. */
function mergeObjects(below: object, above: object): object {
  const merged: Record<string, unknown> = { ...below };
  for (const [name, value] of Object.entries(above)) {
    const lower = merged[name];
    merged[name] = isJsonObject(lower) && isJsonObject(value) ? mergeObjects(lower, value) : value;
  }
  return merged;
}

const isJsonObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
