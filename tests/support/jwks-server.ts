// A server that publishes a key set as a test scripts it. It can stop, start again at the same address, and answer
// anything or nothing. It counts its requests.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

import { listenOnLoopback } from "./listen.ts";

type Script = (response: ServerResponse, request: IncomingMessage) => void;

export interface JwksServer {
  url: string;
  /** The number of requests so far. */
  fetches: number;
  /** From now on, answers with a key set of these keys. */
  publish: (...jwks: object[]) => void;
  /** From now on, answers with this document: a string is sent as it is, anything else as JSON. */
  answer: (document: unknown, status?: number, headers?: Record<string, string>) => void;
  /** From now on, lets the script answer. */
  answerWith: (script: Script) => void;
  /** Refuses connections until `start`. */
  stop: () => Promise<void>;
  /** Listens again, at the same address. */
  start: () => Promise<void>;
}

export async function startJwksServer(...jwks: object[]): Promise<JwksServer> {
  let script: Script | undefined;
  const server = createServer((request, response) => {
    endpoint.fetches += 1;
    script?.(response, request);
  });
  const port = await listenOnLoopback(server);
  const endpoint: JwksServer = {
    url: `http://127.0.0.1:${port}/jwks.json`,
    fetches: 0,
    publish: (...keys) => endpoint.answer({ keys }),
    answer: (document, status = 200, headers = {}) => {
      const body = typeof document === "string" ? document : JSON.stringify(document);
      script = (response) => response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
    },
    answerWith: (next) => {
      script = next;
    },
    stop: async () => {
      if (!server.listening) return;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
    start: async () => {
      await listenOnLoopback(server, port);
    },
  };
  endpoint.publish(...jwks);
  return endpoint;
}
