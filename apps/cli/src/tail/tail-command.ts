// `sluice tail`: the log as it happens, a line for each message. Lost connections are taken up again without a gap.

import type { Schemas, SluiceClient, TailRequest } from "@sluice/client/client";
import type { Command } from "commander";

import { type CliContext, printJson, terminalOf } from "../cli-context.ts";
import { type OutputOptions, withOutputOptions } from "../output/print.ts";
import { writeStyled } from "../output/style.ts";
import { shorten, visibleText } from "../output/text.ts";
import { collectTexts, findTargetId, readNumberOption, wrongUsage } from "../options.ts";
import { type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { asked, openRelayApi } from "../relay/relay-api.ts";

interface TailFlags extends OutputOptions, RelayOptions {
  kind: Schemas["TailKind"][];
  type?: string;
  source?: string;
  target?: string;
  status: Schemas["DeliveryStatus"][];
  label: string[];
  event?: string;
  webhookId?: string;
  dataId?: string;
  error?: string;
  for?: string;
  count?: string;
}

const KINDS: readonly Schemas["TailKind"][] = ["event", "attempt", "delivery"];
const STATUSES: readonly Schemas["DeliveryStatus"][] = ["pending", "succeeded", "exhausted", "cancelled"];
const MAX_SECONDS = 86_400;
const MAX_COUNT = 1_000_000_000;

export function addTail(program: Command, context: CliContext): void {
  const command = program
    .command("tail")
    .description("follow events, attempts and changes of deliveries as they happen")
    .option("--kind <kind>", `only ${KINDS.join(", ")}; several times`, collectOf("--kind", KINDS), [])
    .option("--type <type>", "only events of this type, or of a group such as batch.*")
    .option("--source <name>", "only events of this source")
    .option("--target <name>", "only attempts and deliveries of this target")
    .option(
      "--status <status>",
      `only deliveries that become ${STATUSES.join(", ")}; several times`,
      collectOf("--status", STATUSES),
      [],
    )
    .option("--label <name:value>", "only what has this label; several times", collectTexts, [])
    .option("--event <id>", "only what belongs to this event")
    .option("--webhook-id <id>", "only what belongs to this webhook")
    .option("--data-id <id>", "only what belongs to this job of Gemini's")
    .option("--error <text>", "only attempts with this text in their error")
    .option("--for <seconds>", "end after this time")
    .option("--count <number>", "end after so many messages")
    .action((options: TailFlags) => tail(options, context));
  withRelayOptions(command);
  withOutputOptions(command);
}

const collectOf =
  <T extends string>(option: string, allowed: readonly T[]) =>
  (value: string, before: T[]): T[] => {
    if (!(allowed as readonly string[]).includes(value))
      throw wrongUsage(`${option} must be one of ${allowed.join(", ")}: ${value}`);
    return [...before, value as T];
  };

async function tail(options: TailFlags, context: CliContext): Promise<void> {
  const api = openRelayApi(options, context);
  const [target, source] = [options.target, options.source];
  const query = {
    ...(options.kind.length > 0 && { kind: options.kind }),
    ...(options.status.length > 0 && { status: options.status }),
    ...(options.label.length > 0 && { label: options.label }),
    ...(options.type !== undefined && { event_type: options.type }),
    ...(source !== undefined && { source }),
    ...(target !== undefined && { target: await findTargetId(api, target) }),
    ...(options.event !== undefined && { event: options.event }),
    ...(options.webhookId !== undefined && { webhook_id: options.webhookId }),
    ...(options.dataId !== undefined && { data_id: options.dataId }),
    ...(options.error !== undefined && { error: options.error }),
  };
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(context.signal === undefined ? [] : [context.signal])]);
  const timer =
    options.for === undefined
      ? undefined
      : setTimeout(() => stop.abort(), readNumberOption(options.for, "--for", MAX_SECONDS) * 1_000);
  const most = options.count === undefined ? Infinity : readNumberOption(options.count, "--count", MAX_COUNT);
  try {
    await asked(printMessages(api, query, signal, most, options, context));
  } finally {
    clearTimeout(timer);
  }
}

async function printMessages(
  api: SluiceClient,
  query: NonNullable<TailRequest["query"]>,
  signal: AbortSignal,
  most: number,
  { json = false }: TailFlags,
  context: CliContext,
): Promise<void> {
  const names = new Names(api);
  let count = 0;
  for await (const { event, data } of api.tail({ query, signal })) {
    if (json) printJson(context, { event, data });
    else await printMessage({ event, data } as Message, names, context);
    if (++count === most) return;
  }
}

type Message = Exclude<Schemas["TailMessage"], { event: "overflow" }>;

async function printMessage(message: Message, names: Names, context: CliContext): Promise<void> {
  const { stdout } = context;
  const { at, columns, isGood, isBad } = await describeMessage(message, names);
  const time = new Date(at).toTimeString().slice(0, 8);
  const line = visibleText(`${time}  ${message.event.padEnd(8)}  ${columns.join("  ")}`);
  const text = shorten(line, terminalOf(stdout)?.columns ?? Infinity);
  if (isGood || isBad) writeStyled(stdout, context, isGood ? "green" : "red", text);
  else stdout.write(text);
  stdout.write("\n");
}

async function describeMessage(message: Message, names: Names) {
  switch (message.event) {
    case "event": {
      const { id, type, source, received_at: at, webhook_id: webhookId } = message.data;
      return {
        at,
        columns: [(type ?? "(no type)").padEnd(28), (await names.of(source)).padEnd(20), id, webhookId],
        isGood: false,
        isBad: false,
      };
    }
    case "attempt": {
      const { delivery, target, status_code: status, error, duration_ms: ms, started_at: at, number } = message.data;
      const isSuccess = error === null && status !== null && status >= 200 && status < 300;
      const result = `${error ?? status}  ${Math.round(ms)} ms  #${number}`;
      return {
        at,
        columns: [result.padEnd(28), (target === null ? "" : await names.of(target)).padEnd(20), delivery],
        isGood: isSuccess,
        isBad: !isSuccess,
      };
    }
    case "delivery": {
      const { change, at, delivery } = message.data;
      const { id, target, status } = delivery;
      return {
        at,
        columns: [change.padEnd(28), (await names.of(target)).padEnd(20), id],
        isGood: status === "succeeded",
        isBad: status === "exhausted",
      };
    }
  }
}

/** The names of targets and sources by their ids. */
class Names {
  readonly #api: SluiceClient;
  readonly #known = new Map<string, string>();

  constructor(api: SluiceClient) {
    this.#api = api;
  }

  /** @returns the id itself for what was deleted. */
  async of(id: string): Promise<string> {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const params = { path: { id } };
    const found = id.startsWith("tgt_")
      ? this.#api.get("/v1/targets/{id}", { params })
      : this.#api.get("/v1/sources/{id}", { params });
    // Failure policy: open. The id says it as well.
    const name = await found.then(({ name: text }) => text).catch(() => id);
    this.#known.set(id, name);
    return name;
  }
}
