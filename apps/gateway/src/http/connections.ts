// Limits the connections of a server, and the requests that wait on one connection: a sender can open both without sending
// a whole request. Above the limits the server closes connections, idle ones first.

import type { Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import type { Logger } from "@sluice/shared/runtime/log";

/** The server closes idle connections above this part of its limit, so that they keep no sender out. */
const CROWDED = 7 / 8;
/** The server looks for idle connections at most once in this time, because each time it looks at all connections. */
const CLOSE_IDLE_MS = 1_000;
/** At most one line of the log in this time says that connections were closed. */
const LOG_MS = 10_000;

/** @param max the limit of open connections. The server closes further ones without an answer. */
export function limitConnections(server: Server, max: number, log: Logger): void {
  let open = 0;
  let lastClosedAt = -Infinity;
  let lastLoggedAt = -Infinity;
  server.maxConnections = max;
  server.on("connection", (socket) => {
    open += 1;
    socket.once("close", () => (open -= 1));
    if (open < max * CROWDED || performance.now() - lastClosedAt < CLOSE_IDLE_MS) return;
    lastClosedAt = performance.now();
    server.closeIdleConnections();
  });
  server.on("drop", () => {
    if (performance.now() - lastLoggedAt < LOG_MS) return;
    lastLoggedAt = performance.now();
    log.warn({ connections: max }, "too many connections: the server closes new ones");
  });
}

/** The requests of one connection that wait for their answers. */
interface Pipeline {
  waiting: number;
  /** Stays true: the connection takes no more requests, and its last answer closes it. */
  isFull: boolean;
  /** The answer to the newest request, while it is under way. */
  latest: ServerResponse | undefined;
}

/**
 * The requests that wait on each connection: HTTP/1.1 lets a sender write many requests at once. An entry lives as long as
 * its connection and not as long as a request (decision 20).
 */
export class Pipelines {
  readonly #max: number;
  readonly #bySocket = new Map<Duplex, Pipeline>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Adds a request to its connection until its answer is closed. @returns false when the connection has too many. */
  enter(socket: Duplex, response: ServerResponse): boolean {
    const pipeline = this.#bySocket.get(socket) ?? this.#open(socket);
    if (pipeline.waiting >= this.#max) pipeline.isFull = true;
    if (pipeline.isFull) return false;
    pipeline.waiting += 1;
    pipeline.latest = response;
    response.on("close", () => {
      pipeline.waiting -= 1;
      if (pipeline.latest === response) pipeline.latest = undefined;
    });
    return true;
  }

  /** @returns the answer that is under way on a connection. If there are several, the newest. */
  latestOn(socket: Duplex): ServerResponse | undefined {
    return this.#bySocket.get(socket)?.latest;
  }

  /** @returns the newest answer under way on each connection. */
  latestOnAll(): ServerResponse[] {
    return [...this.#bySocket.values()].flatMap(({ latest }) => latest ?? []);
  }

  #open(socket: Duplex): Pipeline {
    const pipeline: Pipeline = { waiting: 0, isFull: false, latest: undefined };
    this.#bySocket.set(socket, pipeline);
    socket.once("close", () => this.#bySocket.delete(socket));
    return pipeline;
  }
}
