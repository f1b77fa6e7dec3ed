// A target: a real HTTP server that records every request byte for byte, and answers as the test scripts it.

import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";

import { listenOnLoopback } from "./listen.ts";

interface ReceivedRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  receivedAtMs: number;
}

/** The answer to a request. `hang` never answers, and `reset` closes the connection without an answer. */
type Answer =
  | {
      status?: number;
      headers?: Record<string, string>;
      body?: string;
      delayMs?: number;
      /** The answer is sent when this promise is fulfilled. */
      after?: Promise<unknown>;
      /** The body never ends. */
      endless?: boolean;
    }
  | "hang"
  | "reset";

export interface Receiver {
  url: string;
  /** All requests so far, in the order of their arrival. */
  requests: readonly ReceivedRequest[];
  /** Scripts the answers from now on; `index` counts all requests from 0. Without a script every answer is 200. */
  answerWith: (script: (request: ReceivedRequest, index: number) => Answer) => void;
  /** Resolves with the first `count` requests as soon as they have arrived. */
  waitFor: (count: number, timeoutMs?: number) => Promise<readonly ReceivedRequest[]>;
  stop: () => Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 40_000;
/** Far above the keep-alive time of a sender, so that a sender never uses a connection that this server has closed. */
const KEEP_ALIVE_MS = 60_000;

const answerOk = (): Answer => ({});

export async function startReceiver(): Promise<Receiver> {
  const requests: ReceivedRequest[] = [];
  const waiting = new Set<() => void>();
  const stopped = new AbortController();
  let script: (request: ReceivedRequest, index: number) => Answer = answerOk;

  const take = async (incoming: IncomingMessage, response: ServerResponse) => {
    const request = {
      method: incoming.method ?? "",
      path: incoming.url ?? "",
      headers: incoming.headers,
      body: await buffer(incoming),
      receivedAtMs: Date.now(),
    };
    const index = requests.push(request) - 1;
    for (const check of waiting) check();
    await answer(response, script(request, index), stopped.signal);
  };
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (incoming, response) => {
    // The sender went away, or this server stops. A script that throws looks like a reset to the sender.
    take(incoming, response).catch(() => incoming.destroy());
  });
  const port = await listenOnLoopback(server);

  const waitFor = (count: number, timeoutMs = DEFAULT_TIMEOUT_MS) =>
    new Promise<readonly ReceivedRequest[]>((resolve, reject) => {
      const settle = (finish: () => void) => {
        clearTimeout(limit);
        waiting.delete(check);
        finish();
      };
      const check = () => {
        if (requests.length >= count) settle(() => resolve(requests.slice(0, count)));
      };
      const limit = setTimeout(
        () => settle(() => reject(new Error(`${requests.length} of ${count} requests came within ${timeoutMs} ms`))),
        timeoutMs,
      );
      waiting.add(check);
      check();
    });

  return {
    url: `http://127.0.0.1:${port}/hook`,
    requests,
    answerWith: (next) => {
      script = next;
    },
    waitFor,
    stop: () => {
      stopped.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

async function answer(response: ServerResponse, scripted: Answer, stopped: AbortSignal): Promise<void> {
  if (scripted === "hang") return;
  if (scripted === "reset") {
    response.destroy();
    return;
  }
  if (scripted.delayMs !== undefined) await delay(scripted.delayMs, undefined, { signal: stopped });
  await scripted.after;
  response.writeHead(scripted.status ?? 200, scripted.headers).write(scripted.body ?? "");
  if (scripted.endless !== true) response.end();
}
