// An endpoint that publishes a key set, as a test scripts it: it can die, come back at the same address, send
// anything, or nothing. It counts what it is asked for.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type Script = (response: ServerResponse, request: IncomingMessage) => void;

export interface JwksServer {
  url: string;
  /** How often it was asked. */
  fetches: number;
  /** Answers with a key set from now on. */
  publish: (...jwks: object[]) => void;
  /** Answers with a document, as it is when it is text. */
  answer: (document: unknown, status?: number, headers?: Record<string, string>) => void;
  /** Answers by hand. */
  answerWith: (script: Script) => void;
  /** Nobody listens at the address until `start`. */
  stop: () => Promise<void>;
  start: () => Promise<void>;
}

export async function startJwksServer(...jwks: object[]): Promise<JwksServer> {
  let script: Script | undefined;
  const server = createServer((request, response) => {
    endpoint.fetches += 1;
    script?.(response, request);
  });
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(port, "127.0.0.1", () => {
        server.off("error", reject);
        resolve();
      });
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
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
    start: () => listen(port),
  };
  endpoint.publish(...jwks);
  return endpoint;
}
