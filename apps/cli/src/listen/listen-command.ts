// `sluice listen`: real events on a developer's own machine, without an open port. It fetches the deliveries of a pull target and
// sends each to a local service as the relay would.

import type { ReadStream, WriteStream } from "node:tty";

import { isSuccess } from "@sluice/attempt/attempt-result";
import type { SluiceClient } from "@sluice/client/client";
import { type Command, Option } from "commander";

import { type CliContext, note, stopWithProcess, terminalOf } from "../cli-context.ts";
import { severalTexts, timeIn, wholeNumber, wrongUsage } from "../options.ts";
import { type OutputOptions, withOutputOptions } from "../output/print.ts";
import { findAccess, type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { openInConsole } from "../open/open-in-console.ts";
import { asked, connectTo } from "../relay/relay-api.ts";
import { closeConnections, forward } from "./forward.ts";
import { linesOutput, type ListenOutput, screenOutput } from "./listen-output.ts";
import { findOrMakeTarget, ownTargetName } from "./own-target.ts";
import { runPullLoop } from "./pull-loop.ts";
import { type ForwardResult, type PulledDelivery } from "./pulled-delivery.ts";
import { findRoute, readRoutes, type Routes } from "./routes.ts";

interface ListenOptions extends RelayOptions, OutputOptions {
  events?: string[];
  filter?: string;
  map?: string[];
  name?: string;
  replaySince?: Date;
  concurrency: number;
  timeout: number;
  print?: boolean;
  onFailure: "retry" | "hold";
}

/** As long as the relay holds back a retry at most: a quarter of the horizon of a day. */
const HELD_SECONDS = 6 * 3_600;

export function addListen(program: Command, context: CliContext): void {
  const command = program
    .command("listen")
    .description("fetch events as they come and send each to a service on this machine")
    .argument("[url]", "the address of the service, such as http://localhost:3000/webhooks; a port is enough")
    .addOption(
      severalTexts("--events <type>", 'a type of events such as "batch.*"; several times; all when it is not given'),
    )
    .option("--filter <cel>", "only events for which this expression is true")
    .addOption(
      severalTexts(
        "--map <type=url>",
        'another address for events of a type, such as "video.*=4000/video"; several times',
      ),
    )
    .option("--name <name>", `the name or the id of the pull target; ${ownTargetName()} when it is not given`)
    .addOption(
      new Option("--replay-since <time>", "also the events since then: 1h, 2d, or a time of RFC 3339").argParser(
        timeIn("past"),
      ),
    )
    .addOption(
      new Option("--concurrency <number>", "how many events the service gets at once")
        .default(8)
        .argParser(wholeNumber(1, 1_000)),
    )
    .addOption(
      new Option("--timeout <seconds>", "how long the service may take for an answer")
        .default(30)
        .argParser(wholeNumber(1, 600)),
    )
    .option("--print", "send nothing: print the events, and report them as delivered")
    .addOption(
      new Option("--on-failure <what>", "retry: the relay tries again by its schedule. hold: it waits until you resend")
        .default("retry")
        .choices(["retry", "hold"]),
    )
    .action((url: string | undefined, options: ListenOptions) => listenFor(url, options, context));
  withRelayOptions(command);
  withOutputOptions(command);
}

async function listenFor(url: string | undefined, options: ListenOptions, context: CliContext): Promise<void> {
  const { events, filter, map = [], name, replaySince, print = false, concurrency } = options;
  const routes = readRoutes(url, map);
  if (print && (url !== undefined || map.length > 0)) throw wrongUsage("--print sends nothing: leave out the address");
  if (!print && routes.common === undefined && routes.byType.length === 0) {
    throw wrongUsage("Give the address of the service, such as http://localhost:3000/webhooks, or --print");
  }

  const access = findAccess(options, context);
  const api = connectTo(access);
  const { target, newSecret, before } = await findOrMakeTarget(api, { name, events, filter });
  if (newSecret !== undefined) note(context, `The signing secret of ${target.name}, shown this once: ${newSecret}`);
  if (before !== undefined)
    note(
      context,
      `${target.name} got other events before: ${before}. Whoever listens by this name gets those of now. --name makes another target.`,
    );
  if (replaySince !== undefined) await replay(api, target.id, replaySince);

  const stop = stopWithProcess(context);
  const title = `sluice listen as ${target.name} → ${describeRoutes(routes)}`;
  const output = openOutput(options, context, {
    title,
    onQuit: () => stop.abort(),
    resend: (deliveryId) =>
      asked(api.post("/v1/deliveries/{id}:retry", { params: { path: { id: deliveryId } } })).then(() => undefined),
    openInConsole: (id) => openInConsole(access.published, api, id, context),
  });
  const work = async (delivery: PulledDelivery): Promise<ForwardResult | undefined> => {
    output.began(delivery);
    const route = findRoute(routes, delivery.event_type);
    const result = route === undefined ? printed() : await forward(delivery, route, options.timeout * 1_000);
    const isHeld = options.onFailure === "hold" && !isSuccess(result);
    output.ended(delivery, result, isHeld);
    return isHeld ? { ...result, retryAfterSeconds: HELD_SECONDS } : result;
  };
  try {
    await asked(
      runPullLoop({
        api,
        targetId: target.id,
        concurrency,
        work,
        onEvent: (event) => output.noted(event),
        signal: stop.signal,
      }),
    );
  } finally {
    output.close();
    closeConnections();
  }
}

/** An event that goes nowhere is taken as delivered. */
function printed(): ForwardResult {
  const startedAt = new Date().toISOString();
  return {
    startedAt,
    durationMs: 0,
    statusCode: 200,
    error: null,
    responseExcerpt: null,
    retryAfterSeconds: undefined,
  };
}

async function replay(api: SluiceClient, targetId: string, since: Date): Promise<void> {
  await asked(api.post("/v1/events:replay", { body: { targets: [targetId], since: since.toISOString() } }));
}

function openOutput(
  { json = false, print = false }: ListenOptions,
  context: CliContext,
  screen: {
    title: string;
    onQuit: () => void;
    resend: (deliveryId: string) => Promise<void>;
    openInConsole: (id: string) => Promise<string>;
  },
): ListenOutput {
  const { stdin, stdout } = context;
  if (json || !terminalOf(stdout) || !terminalOf(stdin)) return linesOutput(context, screen.title, print);
  return screenOutput({ ...screen, stdin: stdin as ReadStream, stdout: stdout as WriteStream, preferences: context });
}

function describeRoutes({ common, byType }: Routes): string {
  const parts = byType.map(({ pattern, url }) => `${pattern} ${url.href}`);
  return [...parts, ...(common === undefined ? [] : [common.href])].join(", ") || "printed here";
}
