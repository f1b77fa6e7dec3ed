// Sends a request byte by byte, as no HTTP client does: with a body that is cut off, or longer than announced.

import { once } from "node:events";
import { connect } from "node:net";

const TIMEOUT_MS = 60_000;

export interface RawAnswer {
  /** Undefined when the server closed the connection without an answer. */
  status: number | undefined;
  /** The status line and the headers. */
  head: string;
  body: string;
}

export interface RawRequest {
  method?: string;
  path: string;
  headers: Record<string, string>;
  /** Each is written as it is, so the chunks of a chunked body include their framing. */
  chunks: (string | Uint8Array)[];
  /** Closes the sending side after the last chunk. */
  end?: boolean;
}

/** Resolves when the server has closed the connection. @param url the base URL of the server. */
export function sendRaw(url: string, request: RawRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const { method = "POST", path, headers, chunks, end = false } = request;
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const received: Buffer[] = [];
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error("The connection stayed open without an answer")));
    socket.on("data", (data: Buffer) => received.push(data));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      // A server may answer and close the connection before it has read the whole request.
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
    socket.on("close", () => {
      const [head = "", ...rest] = Buffer.concat(received).toString().split("\r\n\r\n");
      const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1];
      resolve({ status: status === undefined ? undefined : Number(status), head, body: rest.join("\r\n\r\n") });
    });
    const lines = Object.entries({ host: hostname, connection: "close", ...headers });
    socket.write(`${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
    for (const chunk of chunks) socket.write(chunk);
    if (end) socket.end();
  });
}

export interface RawConnection {
  /** Resolves when the system has taken all data, or when the connection has failed. */
  write: (data: string | Uint8Array) => Promise<void>;
  /** Everything that was received so far. */
  text: () => string;
  /** The error code with which the connection failed, such as `EPIPE`. */
  failure: () => string | undefined;
  isClosed: () => boolean;
  close: () => void;
}

/** Opens a connection on which a test writes any bytes at any time. */
export async function openRaw(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const received: Buffer[] = [];
  let failure: string | undefined;
  let isClosed = false;
  socket.on("data", (data: Buffer) => received.push(data));
  socket.on("error", (error: NodeJS.ErrnoException) => {
    failure = error.code;
  });
  socket.on("close", () => {
    isClosed = true;
  });
  await once(socket, "connect");
  return {
    write: (data) => new Promise((resolve) => void socket.write(data, () => resolve())),
    text: () => Buffer.concat(received).toString(),
    failure: () => failure,
    isClosed: () => isClosed,
    close: () => socket.destroy(),
  };
}
