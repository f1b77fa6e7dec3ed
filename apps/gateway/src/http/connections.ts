// The connections of a server. Anybody can open connections without sending a whole request, so when there are too many,
// those without a request go first, and a sender that sends its webhook at once always finds room.

import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { networkOf } from "@sluice/shared/address/network-of";
import type { Logger } from "@sluice/shared/runtime/log";

/** A connection that has not sent a request line in this time is closed. Senders send it at once. */
const SILENT_MS = 5_000;
const CHECK_MS = 1_000;
/** No request line is shorter: `GET / HTTP/1.1` and its end. */
const MIN_REQUEST_LINE_BYTES = 16;
/** A new connection has this time for its request before it may be closed for another one. */
const GRACE_MS = 1_000;
/** At most one line of the log in this time says that connections were closed. */
const LOG_MS = 10_000;

export interface CrowdLimits {
  /** How many connections may be open. */
  max: number;
  /** How many of them one IPv4 address, or one /64 of IPv6, may hold. */
  maxPerNetwork: number;
  /** How many requests may wait for their answers on one connection: HTTP/1.1 lets a sender write many at once. */
  maxPipelined: number;
}

/** What is known of an open connection. It lives as long as its connection and not as long as a request (decision 20). */
interface OpenConnection {
  readonly socket: Socket;
  readonly openedAtMs: number;
  /** The requests that wait for their answers. */
  waiting: number;
  /** Stays true: the connection takes no more requests, and its last answer closes it. */
  isFull: boolean;
  /** The answer to the newest request, while it is under way. */
  latest: ServerResponse | undefined;
}

export class Connections {
  readonly #limits: CrowdLimits;
  readonly #log: Logger;
  readonly #bySocket = new Map<Socket, OpenConnection>();
  /** Connections that have sent no request yet. The oldest is the first, here and below. */
  readonly #fresh = new Set<OpenConnection>();
  /** Connections whose requests are answered. */
  readonly #idle = new Set<OpenConnection>();
  readonly #countByNetwork = new Map<string, number>();
  #lastLoggedAt = -Infinity;

  /** Watches the connections of a server from now on. */
  constructor(server: Server, limits: CrowdLimits, log: Logger) {
    this.#limits = limits;
    this.#log = log;
    server.on("connection", (socket: Socket) => this.#open(socket));
    const timer = setInterval(() => this.#closeSilent(performance.now()), CHECK_MS).unref();
    server.once("close", () => clearInterval(timer));
  }

  /** Adds a request to its connection until its answer is closed. @returns false when the connection has too many. */
  enter(socket: Socket, response: ServerResponse): boolean {
    const connection = this.#bySocket.get(socket);
    // The connection was closed before its request was read.
    if (connection === undefined) return true;
    if (connection.waiting >= this.#limits.maxPipelined) connection.isFull = true;
    if (connection.isFull) return false;
    connection.waiting += 1;
    connection.latest = response;
    this.#fresh.delete(connection);
    this.#idle.delete(connection);
    response.on("close", () => {
      connection.waiting -= 1;
      if (connection.latest === response) connection.latest = undefined;
      if (connection.waiting === 0 && this.#bySocket.has(socket)) this.#idle.add(connection);
    });
    return true;
  }

  /** @returns the answer that is under way on a connection. If there are several, the newest. */
  latestOn(socket: Socket): ServerResponse | undefined {
    return this.#bySocket.get(socket)?.latest;
  }

  /** @returns the newest answer under way on each connection. */
  latestOnAll(): ServerResponse[] {
    return [...this.#bySocket.values()].flatMap(({ latest }) => latest ?? []);
  }

  #open(socket: Socket): void {
    const network = networkOf(socket.remoteAddress ?? "");
    const ofNetwork = (this.#countByNetwork.get(network) ?? 0) + 1;
    if (ofNetwork > this.#limits.maxPerNetwork) {
      socket.destroy();
      this.#logClosed("too many connections of one address: new ones are closed", {
        max_per_network: this.#limits.maxPerNetwork,
      });
      return;
    }
    if (this.#bySocket.size >= this.#limits.max && !this.#closeOne(performance.now())) {
      socket.destroy();
      this.#logClosed("too many requests under way: new connections are closed", { connections: this.#limits.max });
      return;
    }
    const connection = { socket, openedAtMs: performance.now(), waiting: 0, isFull: false, latest: undefined };
    this.#bySocket.set(socket, connection);
    this.#fresh.add(connection);
    this.#countByNetwork.set(network, ofNetwork);
    socket.once("close", () => {
      this.#forget(connection);
      const left = (this.#countByNetwork.get(network) ?? 1) - 1;
      if (left === 0) this.#countByNetwork.delete(network);
      else this.#countByNetwork.set(network, left);
    });
  }

  /** Makes room for a connection. @returns false when every connection has a whole request under way. */
  #closeOne(nowMs: number): boolean {
    const [fresh] = this.#fresh;
    const [idle] = this.#idle;
    const isOverdue = fresh !== undefined && nowMs - fresh.openedAtMs > GRACE_MS;
    const chosen = (isOverdue ? fresh : (idle ?? fresh)) ?? this.#findUnfinished();
    if (chosen === undefined) return false;
    this.#forget(chosen);
    chosen.socket.destroy();
    this.#logClosed("too many connections: those without a whole request are closed", {
      connections: this.#limits.max,
    });
    return true;
  }

  /** The oldest connection whose request has not arrived whole. */
  #findUnfinished(): OpenConnection | undefined {
    for (const connection of this.#bySocket.values()) {
      if (connection.latest !== undefined && !connection.latest.req.complete) return connection;
    }
    return undefined;
  }

  #closeSilent(nowMs: number): void {
    for (const { socket, openedAtMs } of this.#fresh) {
      if (nowMs - openedAtMs < SILENT_MS) return;
      if (socket.bytesRead < MIN_REQUEST_LINE_BYTES) socket.destroy();
    }
  }

  #forget(connection: OpenConnection): void {
    this.#bySocket.delete(connection.socket);
    this.#fresh.delete(connection);
    this.#idle.delete(connection);
  }

  #logClosed(message: string, fields: Record<string, unknown>): void {
    if (performance.now() - this.#lastLoggedAt < LOG_MS) return;
    this.#lastLoggedAt = performance.now();
    this.#log.warn(fields, message);
  }
}
