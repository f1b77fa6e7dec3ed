// `sluice tail`: the log as it happens, a line for each message. Lost connections are taken up again without a gap.

import { isSuccess } from "@sluice/attempt/attempt-result";
import type { Schemas, SluiceClient, TailRequest } from "@sluice/client/client";
import { type Command, Option } from "commander";

import { type CliContext, printJson, stopWithProcess, terminalOf } from "../cli-context.ts";
import { findId, ShownNames } from "../endpoint/names.ts";
import { type OutputOptions, withOutputOptions } from "../output/print.ts";
import { writeStyled } from "../output/style.ts";
import { shorten, visibleText, widthOf } from "../output/text.ts";
import { severalOf, severalTexts, wholeNumber } from "../options.ts";
import { type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { asked, openRelayApi } from "../relay/relay-api.ts";

interface TailFlags extends OutputOptions, RelayOptions {
  kind?: Schemas["TailKind"][];
  type?: string;
  source?: string;
  target?: string;
  status?: Schemas["DeliveryStatus"][];
  label?: string[];
  event?: string;
  webhookId?: string;
  dataId?: string;
  error?: string;
  for?: number;
  count?: number;
}

const KINDS: readonly Schemas["TailKind"][] = ["event", "attempt", "delivery"];
const STATUSES: readonly Schemas["DeliveryStatus"][] = ["pending", "succeeded", "exhausted", "cancelled"];
const MAX_SECONDS = 86_400;

export function addTail(program: Command, context: CliContext): void {
  const command = program
    .command("tail")
    .description("follow events, attempts and changes of deliveries as they happen")
    .addOption(severalOf("--kind <kind>", `only ${KINDS.join(", ")}; several times`, KINDS))
    .option("--type <type>", "only events of this type, or of a group such as batch.*")
    .option("--source <name>", "only events of this source")
    .option("--target <name>", "only attempts and deliveries of this target")
    .addOption(
      severalOf("--status <status>", `only deliveries that become ${STATUSES.join(", ")}; several times`, STATUSES),
    )
    .addOption(severalTexts("--label <name:value>", "only what has this label; several times"))
    .option("--event <id>", "only what belongs to this event")
    .option("--webhook-id <id>", "only what belongs to this webhook")
    .option("--data-id <id>", "only what belongs to this job of Gemini's")
    .option("--error <text>", "only attempts with this text in their error")
    .addOption(new Option("--for <seconds>", "end after this time").argParser(wholeNumber(1, MAX_SECONDS)))
    .addOption(new Option("--count <number>", "end after so many messages").argParser(wholeNumber(1)))
    .action((options: TailFlags) => tail(options, context));
  withRelayOptions(command);
  withOutputOptions(command);
}

async function tail(options: TailFlags, context: CliContext): Promise<void> {
  const api = openRelayApi(options, context);
  const [target, source] = [options.target, options.source];
  const query = {
    ...(options.kind !== undefined && { kind: options.kind }),
    ...(options.status !== undefined && { status: options.status }),
    ...(options.label !== undefined && { label: options.label }),
    ...(options.type !== undefined && { event_type: options.type }),
    ...(source !== undefined && { source }),
    ...(target !== undefined && { target: await findId(api, "target", target) }),
    ...(options.event !== undefined && { event: options.event }),
    ...(options.webhookId !== undefined && { webhook_id: options.webhookId }),
    ...(options.dataId !== undefined && { data_id: options.dataId }),
    ...(options.error !== undefined && { error: options.error }),
  };
  const stop = stopWithProcess(context);
  const timer = options.for === undefined ? undefined : setTimeout(() => stop.abort(), options.for * 1_000);
  try {
    await asked(printMessages(api, query, stop.signal, options, context));
  } finally {
    clearTimeout(timer);
  }
}

async function printMessages(
  api: SluiceClient,
  query: NonNullable<TailRequest["query"]>,
  signal: AbortSignal,
  { json = false, count: most }: TailFlags,
  context: CliContext,
): Promise<void> {
  const names = new ShownNames(api);
  let count = 0;
  for await (const { event, data } of api.tail({ query, signal })) {
    if (json) printJson(context, { event, data });
    else await printMessage({ event, data } as Message, names, context);
    if (++count === most) return;
  }
}

/** From here on, a line has room for everything but the id of the webhook. */
const WIDE_COLUMNS = 106;
const WIDE = { what: 28, name: 20, ids: 2 };
/** In 80 columns, the id stays whole, because somebody copies it. */
const NARROW = { what: 16, name: 10, ids: 1 };

type Message = Exclude<Schemas["TailMessage"], { event: "overflow" }>;

async function printMessage(message: Message, names: ShownNames, context: CliContext): Promise<void> {
  const { stdout } = context;
  const place = idBehindName(message);
  await names.load([place]);
  const { at, what, ids, isGood, isBad } = describeMessage(message);
  const width = terminalOf(stdout)?.columns ?? Infinity;
  const widths = width < WIDE_COLUMNS ? NARROW : WIDE;
  const cell = (value: string, room: number) => {
    const short = width === Infinity ? visibleText(value) : shorten(visibleText(value), room);
    return short + " ".repeat(Math.max(0, room - widthOf(short)));
  };
  const time = new Date(at).toTimeString().slice(0, 8);
  const cells = [time, message.event.padEnd(8), cell(what, widths.what), cell(names.or(place) ?? "", widths.name)];
  const text = shorten([...cells, ...ids.slice(0, widths.ids).map(visibleText)].join("  "), width);
  if (isGood || isBad) writeStyled(stdout, context, isGood ? "green" : "red", text);
  else stdout.write(text);
  stdout.write("\n");
}

/** The source of an event, and the target of anything else. */
function idBehindName(message: Message): string | null {
  if (message.event === "event") return message.data.source;
  return message.event === "attempt" ? message.data.target : message.data.delivery.target;
}

function describeMessage(message: Message) {
  switch (message.event) {
    case "event": {
      const { id, type, received_at: at, webhook_id: webhookId } = message.data;
      return {
        at,
        what: type ?? "(no type)",
        ids: [id, webhookId],
        isGood: false,
        isBad: false,
      };
    }
    case "attempt": {
      const { delivery, status_code: status, error, duration_ms: ms, started_at: at, number } = message.data;
      const isGood = isSuccess({ statusCode: status, error });
      const result = `${error ?? status}  ${Math.round(ms)} ms  #${number}`;
      return {
        at,
        what: result,
        ids: [delivery],
        isGood,
        isBad: !isGood,
      };
    }
    case "delivery": {
      const { change, at, delivery } = message.data;
      const { id, status } = delivery;
      return {
        at,
        what: change,
        ids: [id],
        isGood: status === "succeeded",
        isBad: status === "exhausted",
      };
    }
  }
}
