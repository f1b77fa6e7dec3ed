// Measures how much a target that is down or slow delays the events of a healthy target: the time from the post of an event
// to its arrival, in alternating phases with and without the other target. `node bench/isolation.ts` prints the table of
// bench/README.md.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import { parseId } from "@sluice/shared/domain/ids";

import { geminiEvent, signWebhook } from "../tests/support/sign.ts";
import { describeMachine, format, percentile, toMarkdown } from "./machine.ts";
import { SECRET } from "./messages.ts";
import { openRig, type Rig } from "./rig.ts";

const EVENTS_PER_SECOND = Number(process.env["RATE"] ?? 100);
const ROUNDS = Number(process.env["ROUNDS"] ?? 2);
/** The number of waiting deliveries of each target that is down. */
const WAITING = Number(process.env["WAITING"] ?? 100_000);
/** Every few seconds such a machine pauses for about 50 ms. Short phases would differ by one pause. */
const PHASE_SECONDS = 30;
/** At the start of a phase, a target changes and a breaker opens. Events of this time are sent but not counted. */
const SETTLE_SECONDS = 2;
const SLOW_MS = 10_000;

interface Phase {
  latenciesMs: number[];
  /** Measured at the end of the phase. */
  redisBytes: number;
}

const cleanups: (() => unknown)[] = [];

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handle).listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

/** A URL whose port refuses connections. */
async function findRefusingUrl(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return `http://127.0.0.1:${port}/hook`;
}

/** Makes due deliveries, each with its own event. SQL makes them faster than the ingress. */
async function seedWaiting(rig: Rig, targetIds: string[]): Promise<void> {
  await rig.query(
    `INSERT INTO events (id, source_id, webhook_id, type, received_at, scheme, content_type, body)
     SELECT uuidv7(), (SELECT id FROM sources WHERE name = 'gemini'), 'msg_seed_' || n, 'batch.succeeded', now(), 'v1',
       'application/json', convert_to('{"type":"batch.succeeded","data":{"id":"' || repeat('x', 200) || '"}}', 'UTF8')
     FROM generate_series(1, $1::int) n`,
    [WAITING],
  );
  for (const targetId of targetIds) {
    await rig.query(
      `INSERT INTO deliveries (id, event_id, target_id, source_id, event_type, webhook_id, status, next_attempt_at,
         next_trigger, deadline_at)
       SELECT uuidv7(), id, $1, source_id, type, webhook_id, 'pending', now(), 'initial', now() + interval '1 day'
       FROM events WHERE webhook_id LIKE 'msg_seed_%'`,
      [targetId],
    );
  }
  await rig.query("VACUUM ANALYZE events, deliveries");
  // Otherwise PostgreSQL would write the new rows to disk during the first phases.
  await rig.query("CHECKPOINT");
}

async function measure(): Promise<void> {
  const rig = await openRig({ queue: "redis" });
  cleanups.push(rig.close);
  const ingress = await rig.startGateway();
  await rig.startWorker();
  const disabled = { state: "disabled" };

  const sentAt = new Map<string, number>();
  let latenciesMs: number[] = [];
  const healthy = await listen((request, response) => {
    const id = String(request.headers["webhook-id"]);
    const at = sentAt.get(id);
    if (at !== undefined) latenciesMs.push(performance.now() - at);
    sentAt.delete(id);
    request.resume().on("end", () => response.end());
  });
  await rig.createTarget(healthy);
  const hangs = await listen((request) => request.resume());
  const slow = await listen((request, response) => {
    request.resume();
    setTimeout(() => response.end(), SLOW_MS).unref();
  });
  const company = {
    "refuses connections": await rig.createTarget(await findRefusingUrl(), disabled),
    // The short timeout makes all of this happen within one phase: attempts hang, the breaker opens, and probes hang.
    "never answers": await rig.createTarget(hangs, { ...disabled, timeout_seconds: 1 }),
    "answers in 10 s": await rig.createTarget(slow, disabled),
  };
  const { "answers in 10 s": _, ...down } = company;
  await seedWaiting(
    rig,
    Object.values(down).map((id) => parseId("tgt", id, "id")),
  );

  const send = async (scheduledAt: number, isCounted: boolean) => {
    const { headers, body, webhookId } = signWebhook({ secret: SECRET, body: geminiEvent() });
    if (isCounted) sentAt.set(webhookId, scheduledAt);
    const response = await fetch(ingress.url, { method: "POST", headers, body: Uint8Array.from(body) });
    if (!response.ok) throw new Error(`The ingress refused an event with ${response.status}`);
    await response.arrayBuffer();
  };
  const runPhase = async (): Promise<Phase> => {
    latenciesMs = [];
    const startedAt = performance.now();
    const sends: Promise<void>[] = [];
    // Open loop: the age of an event counts from the moment at which it should have been sent.
    for (let n = 0; n < EVENTS_PER_SECOND * (SETTLE_SECONDS + PHASE_SECONDS); n++) {
      const scheduledAt = startedAt + (n * 1000) / EVENTS_PER_SECOND;
      await delay(Math.max(0, scheduledAt - performance.now()));
      sends.push(send(scheduledAt, n >= EVENTS_PER_SECOND * SETTLE_SECONDS));
    }
    await Promise.all(sends);
    const limitMs = performance.now() + 5_000;
    while (sentAt.size > 0 && performance.now() < limitMs) await delay(10);
    if (sentAt.size > 0) throw new Error(`${sentAt.size} events did not arrive at the healthy target`);
    return { latenciesMs, redisBytes: await rig.redisBytes() };
  };

  // The first phase warms everything up, the memory of Redis included.
  await runPhase();
  const alone: Phase[] = [];
  const rows = new Map<string, Phase[]>(Object.keys(company).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, id] of Object.entries(company)) {
      alone.push(await runPhase());
      await rig.call("PATCH", `/v1/targets/${id}`, { state: "enabled" });
      rows.get(name)?.push(await runPhase());
      await rig.call("PATCH", `/v1/targets/${id}`, disabled);
    }
  }
  print(alone, rows);
}

function print(alone: Phase[], rows: Map<string, Phase[]>): void {
  console.log(
    `${describeMachine()}; ${EVENTS_PER_SECOND} events/s, ${format(WAITING)} deliveries waiting for each target that is down\n`,
  );
  const sortedOf = (phases: Phase[]) => phases.flatMap((phase) => phase.latenciesMs).toSorted((a, b) => a - b);
  const base = percentile(sortedOf(alone), 0.99);
  const cells = [["nobody", alone] as const, ...rows].map(([name, phases]) => {
    const sorted = sortedOf(phases);
    const p99 = percentile(sorted, 0.99);
    const megabytes = Math.max(...phases.map((phase) => phase.redisBytes)) / 1e6;
    const times = [format(percentile(sorted, 0.5), 1), format(p99, 1), format(p99 / base, 2)];
    return [name, String(sorted.length), ...times, format(megabytes, 2)];
  });
  console.log(toMarkdown(["beside it", "events", "p50 ms", "p99 ms", "p99 to p99 alone", "Redis, MB"], cells));
}

try {
  await measure();
} finally {
  for (const cleanup of cleanups.toReversed()) await cleanup();
}
