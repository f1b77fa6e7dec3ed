// `sluice trigger`: sends events as if Gemini had sent them, to see a target or a local service work without waiting for a job.

import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

import type { Schemas } from "@sluice/client/client";
import { isObject } from "@sluice/shared/domain/envelope";
import { Argument, type Command, Option } from "commander";

import { type CliContext, note, printJson } from "../cli-context.ts";
import { type OutputOptions, withOutputOptions } from "../output/print.ts";
import { type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { asked, openRelayApi } from "../relay/relay-api.ts";
import { completeWith, readInput, severalTexts, wholeNumber, wrongUsage } from "../options.ts";
import { findId } from "../endpoint/names.ts";
import { EXAMPLE_TYPES, exampleData } from "./gemini-examples.ts";

interface TriggerOptions extends OutputOptions, RelayOptions {
  data?: string[];
  file?: string;
  label?: string[];
  metadata?: string[];
  target?: string[];
  source?: string;
  count: number;
  rate?: number;
}

type PayloadFields = Record<string, unknown>;

const MAX_COUNT = 100_000;
const MAX_RATE = 1_000;
/** How many calls are under way at most. */
const CONCURRENCY = 16;

export function addTrigger(program: Command, context: CliContext): void {
  const command = program
    .command("trigger")
    .description("send an example of an event of Gemini's to the targets, through the relay")
    .addArgument(
      completeWith(
        new Argument(
          "[type]",
          `${EXAMPLE_TYPES.join(", ")}, or any other type; the examples are listed when it is not given`,
        ),
        EXAMPLE_TYPES,
      ),
    )
    .addOption(
      severalTexts("--data <field=value>", "a field of `data`, such as id=batch_1 or usage.tokens=12; several times"),
    )
    .option("--file <path>", "a payload as Gemini sends it: {type, data, user_metadata}; - reads stdin")
    .addOption(severalTexts("--metadata <field=value>", "a field of `user_metadata`; several times"))
    .addOption(severalTexts("--label <name=value>", "a label for filters; several times"))
    .addOption(severalTexts("--target <name>", "only to this target, whatever it subscribes to; several times"))
    .option("--source <name>", "the source that the event is said to come from")
    .addOption(new Option("--count <number>", "how many events").default(1).argParser(wholeNumber(1, MAX_COUNT)))
    .addOption(
      new Option(
        "--rate <number>",
        "how many a second; as fast as the relay takes them when it is not given",
      ).argParser(wholeNumber(1, MAX_RATE)),
    )
    .action((type: string | undefined, options: TriggerOptions) => trigger(type, options, context));
  withRelayOptions(command);
  withOutputOptions(command);
}

async function trigger(given: string | undefined, options: TriggerOptions, context: CliContext): Promise<void> {
  const file = options.file === undefined ? {} : await readPayload(options.file, context);
  const type = given ?? (typeof file["type"] === "string" ? file["type"] : undefined);
  if (type === undefined) {
    for (const example of EXAMPLE_TYPES) context.stdout.write(`${example}\n`);
    return;
  }
  const { count, rate } = options;
  const data = readPayloadFields(options.data ?? [], "--data");
  const metadata = {
    ...(isObject(file["user_metadata"]) && file["user_metadata"]),
    ...readPayloadFields(options.metadata ?? [], "--metadata"),
  };
  const labels = readLabels(options.label ?? []);

  const api = openRelayApi(options, context);
  const targets = await Promise.all((options.target ?? []).map((name) => findId(api, "target", name)));
  const makeBody = (): Schemas["NewEvent"] => ({
    type,
    data: {
      ...(isObject(file["data"]) ? file["data"] : exampleData(type, randomBytes(6).toString("hex"))),
      ...data,
    },
    ...(Object.keys(metadata).length > 0 && { user_metadata: metadata }),
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(options.source !== undefined && { source: options.source }),
    ...(targets.length > 0 && { targets }),
  });
  await sendAll(count, rate, async () => {
    const sent = await asked(api.post("/v1/events", { body: makeBody() }));
    if (options.json === true) printJson(context, sent);
    else context.stdout.write(`${sent.id}  ${type}  ${describeDeliveries(sent.deliveries)}\n`);
    if (sent.deliveries === 0 && count === 1)
      note(context, "No target subscribes to this event: `sluice targets list`");
  });
}

const describeDeliveries = (count: number) => `${count} ${count === 1 ? "delivery" : "deliveries"}`;

/** Sends at the rate, several at once, and stops at the first that fails. */
async function sendAll(count: number, rate: number | undefined, send: () => Promise<void>): Promise<void> {
  const from = performance.now();
  let next = 0;
  let isFailed = false;
  const goesOn = () => next < count && !isFailed;
  const sendNext = async (): Promise<void> => {
    while (goesOn()) {
      const index = next++;
      const waitMs = rate === undefined ? 0 : from + (index * 1_000) / rate - performance.now();
      if (waitMs > 0) await delay(waitMs);
      await send();
    }
  };
  const stop = (error: unknown) => {
    isFailed = true;
    throw error;
  };
  await Promise.all(Array.from({ length: Math.min(count, CONCURRENCY) }, () => sendNext().catch(stop)));
}

async function readPayload(path: string, context: CliContext): Promise<PayloadFields> {
  const text = (await readInput(path, context)).toString("utf8");
  try {
    const payload: unknown = JSON.parse(text);
    if (isObject(payload)) return payload;
  } catch {
    // Said below.
  }
  throw wrongUsage(`--file: this is no JSON object: ${path}`);
}

/** @param texts such as `usage.tokens=12`: a value that is JSON is taken as such, any other as text. */
function readPayloadFields(texts: readonly string[], option: string): PayloadFields {
  const fields: PayloadFields = {};
  for (const text of texts) {
    const at = text.indexOf("=");
    const path = text.slice(0, Math.max(0, at)).split(".");
    const last = path.pop();
    // `__proto__` would change what every object has.
    if (!last || [...path, last].some((name) => name === "" || name === "__proto__")) {
      throw wrongUsage(`${option} must be such as id=batch_1: ${text}`);
    }
    let place = fields;
    for (const name of path) {
      const inner = place[name];
      place = isObject(inner) ? inner : (place[name] = {} as PayloadFields);
    }
    place[last] = readValue(text.slice(at + 1));
  }
  return fields;
}

function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function readLabels(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
      if (name === undefined || value === undefined) throw wrongUsage(`--label must be such as team=billing: ${text}`);
      return [name, value];
    }),
  );
}
