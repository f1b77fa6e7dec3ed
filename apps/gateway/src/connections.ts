// How many connections a server has, and how many requests wait on one of them: what a sender can open without
// sending a whole request. Above the limits connections are closed, those first that nobody waits on.

import type { Server } from "node:http";
import type { Duplex } from "node:stream";

import type { Logger } from "@sluice/shared/log";

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

/** Requests of each connection that wait for their answers. HTTP/1.1 lets a sender write them all at once. */
export class Pipelines {
  readonly #max: number;
  readonly #waiting = new WeakMap<Duplex, number>();
  readonly #refused = new WeakSet<Duplex>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether a connection may have one more; once it may not, it never may again, because its last answer ends it. */
  enter(socket: Duplex): boolean {
    const waiting = this.#waiting.get(socket) ?? 0;
    if (waiting >= this.#max || this.#refused.has(socket)) {
      this.#refused.add(socket);
      return false;
    }
    this.#waiting.set(socket, waiting + 1);
    return true;
  }

  leave(socket: Duplex): void {
    this.#waiting.set(socket, (this.#waiting.get(socket) ?? 1) - 1);
  }
}
