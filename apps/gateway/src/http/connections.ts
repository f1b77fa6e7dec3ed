// How many connections a server has, and how many requests wait on one of them: what a sender can open without
// sending a whole request. Above the limits connections are closed, those first that nobody waits on.

import type { Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import type { Logger } from "@sluice/shared/runtime/log";

/** Above this part of the limit idle connections are closed, so that a crowd of them keeps nobody out. */
const CROWDED = 7 / 8;
/** Between two looks at all connections, and between two lines of the log. */
const CLOSE_IDLE_MS = 1_000;
const LOG_MS = 10_000;

/** @param max of open connections; what comes above is closed without an answer. */
export function limitConnections(server: Server, max: number, log: Logger): void {
  let open = 0;
  let lastClosed = -Infinity;
  let lastLogged = -Infinity;
  server.maxConnections = max;
  server.on("connection", (socket) => {
    open += 1;
    socket.once("close", () => (open -= 1));
    if (open < max * CROWDED || performance.now() - lastClosed < CLOSE_IDLE_MS) return;
    lastClosed = performance.now();
    server.closeIdleConnections();
  });
  server.on("drop", () => {
    if (performance.now() - lastLogged < LOG_MS) return;
    lastLogged = performance.now();
    log.warn({ connections: max }, "connections closed: there are too many");
  });
}

/** The requests of one connection that wait for their answers. */
interface Pipeline {
  waiting: number;
  /** It may have no more requests, and never may again: its last answer ends it. */
  isFull: boolean;
  /** To the last request that came, while it is under way. */
  latest: ServerResponse | undefined;
}

/**
 * What waits on each connection: HTTP/1.1 lets a sender write many requests at once. Kept for as long as the connection,
 * and not by request (decision 20).
 */
export class Pipelines {
  readonly #max: number;
  readonly #bySocket = new Map<Duplex, Pipeline>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether a connection may have one more request, which leaves when its answer is closed. */
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

  /** What is under way on a connection: the latest, where it is more than one. */
  latestOn(socket: Duplex): ServerResponse | undefined {
    return this.#bySocket.get(socket)?.latest;
  }

  /** And on all of them. */
  latest(): ServerResponse[] {
    return [...this.#bySocket.values()].flatMap(({ latest }) => latest ?? []);
  }

  #open(socket: Duplex): Pipeline {
    const pipeline: Pipeline = { waiting: 0, isFull: false, latest: undefined };
    this.#bySocket.set(socket, pipeline);
    socket.once("close", () => this.#bySocket.delete(socket));
    return pipeline;
  }
}
