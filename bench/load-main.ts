// The load generator runs as a process of its own, and is the same for the yardstick and the relay. Each request is a new
// event, which is signed when it is sent.

import { randomBytes } from "node:crypto";

import { readSigningSecret } from "@sluice/signature/secret";
import { signV1 } from "@sluice/signature/signing/v1";
import { type Dispatcher, Pool } from "undici";

import { type FromLoad, type Load, type LoadResult, now, SECRET, type ToLoad } from "./messages.ts";

/** An open pace needs so many connections when answers are late. */
const OPEN_CONNECTIONS = 256;
const TICK_MS = 1;

let eventsArrived = 0;
let onArrival = () => {};

process.on("message", (message: ToLoad) => {
  if (message.kind === "arrived") {
    eventsArrived = message.events;
    onArrival();
    return;
  }
  generate(message.load).then(
    (result) => send({ kind: "done", result }),
    (error: unknown) => send({ kind: "failed", error: String(error) }),
  );
});
process.on("disconnect", () => process.exit());

function send(message: FromLoad): void {
  process.send?.(message);
}

async function generate(load: Load): Promise<LoadResult> {
  const connections = load.pace.kind === "closed" ? load.pace.connections : OPEN_CONNECTIONS;
  const perUrl = Math.ceil(connections / load.urls.length);
  const targets = load.urls.map((url) => {
    const { origin, pathname } = new URL(url);
    return { pool: new Pool(origin, { connections: perUrl, pipelining: 1 }), path: pathname };
  });
  const makeRequest = createRequestMaker(load);
  const result: LoadResult = { sent: 0, accepted: 0, refused: {}, tookMs: 0, acknowledgedMs: [] };
  eventsArrived = 0;

  const startedAt = now();
  const endsAt = load.until.kind === "ms" ? startedAt + load.until.ms : Number.POSITIVE_INFINITY;
  const maxCount = load.until.kind === "count" ? load.until.count : Number.POSITIVE_INFINITY;
  const maxUndelivered = load.maxUndelivered ?? Number.POSITIVE_INFINITY;
  let inFlight = 0;
  const isOver = () => result.sent >= maxCount || now() >= endsAt;

  await new Promise<void>((resolve) => {
    const post = (dueAt: number) => {
      const target = targets[result.sent % targets.length];
      if (target === undefined) return;
      result.sent += 1;
      inFlight += 1;
      target.pool.dispatch(makeRequest(target.path, dueAt), new Answer(settle, dueAt));
    };
    const settle = (status: number, dueAt: number) => {
      inFlight -= 1;
      if (status >= 200 && status < 300) {
        result.accepted += 1;
        result.acknowledgedMs.push(now() - dueAt);
      } else {
        result.refused[status] = (result.refused[status] ?? 0) + 1;
      }
      if (load.pace.kind === "closed") fill();
      if (inFlight === 0 && isOver()) resolve();
    };
    const fill = () => {
      for (;;) {
        if (inFlight >= connections || isOver() || result.sent - eventsArrived >= maxUndelivered) break;
        post(now());
      }
      // With no request in flight, no answer would call `resolve`.
      if (inFlight === 0 && isOver()) resolve();
    };
    if (load.pace.kind === "closed") {
      onArrival = fill;
      fill();
      return;
    }
    const { perSecond } = load.pace;
    // The age of a request counts from the moment at which it was due, so that a stall of either side shows.
    const timer = setInterval(() => {
      const lastAt = Math.min(now(), endsAt);
      for (;;) {
        const dueAt = startedAt + (result.sent * 1000) / perSecond;
        if (dueAt > lastAt || result.sent >= maxCount) break;
        post(dueAt);
      }
      if (!isOver()) return;
      clearInterval(timer);
      if (inFlight === 0) resolve();
    }, TICK_MS);
  });
  result.tookMs = now() - startedAt;
  onArrival = () => {};
  result.acknowledgedMs = [...Float64Array.from(result.acknowledgedMs).toSorted()];
  await Promise.all(targets.map(({ pool }) => pool.close()));
  return result;
}

function createRequestMaker({ bodyBytes }: Load): (path: string, dueAt: number) => Dispatcher.DispatchOptions {
  const read = readSigningSecret(SECRET);
  if ("fault" in read) throw new Error(read.fault);
  const { key } = read.secret;
  const run = randomBytes(6).toString("hex");
  const bare = JSON.stringify(makeEvent("batch_000000000000_00000000", 0, "")).length;
  const padding = "x".repeat(Math.max(0, bodyBytes - bare - 20));
  let made = 0;
  return (path, dueAt) => {
    const name = `${run}_${(made++).toString(36).padStart(8, "0")}`;
    const body = Buffer.from(JSON.stringify(makeEvent(`batch_${name}`, dueAt, padding)));
    const id = `msg_${name}`;
    const timestamp = String(Math.floor(Date.now() / 1000));
    const headers = {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": signV1(key, id, timestamp, body),
    };
    return { path, method: "POST", headers, body };
  };
}

/** The receiver reads `due_at`. */
function makeEvent(id: string, dueAt: number, padding: string): object {
  const data = { id, output_file_uri: "gs://bucket/output.jsonl", due_at: dueAt, padding };
  return { type: "batch.succeeded", version: "v1", timestamp: "2026-01-01T00:00:00Z", data };
}

/** Calls `settle` once, with the status of the answer, or with 0 when no answer came. */
class Answer implements Dispatcher.DispatchHandler {
  readonly #settle: (status: number, dueAt: number) => void;
  readonly #dueAt: number;
  #status = 0;

  constructor(settle: (status: number, dueAt: number) => void, dueAt: number) {
    this.#settle = settle;
    this.#dueAt = dueAt;
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, statusCode: number): void {
    this.#status = statusCode;
  }

  onResponseData(): void {}

  onResponseEnd(): void {
    this.#settle(this.#status, this.#dueAt);
  }

  onResponseError(): void {
    this.#settle(0, this.#dueAt);
  }
}
