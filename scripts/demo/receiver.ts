// The receiver of the demonstration. The library `standardwebhooks`, which knows nothing of Sluice, verifies every
// request, so that a delivered event proves that a service needs no code of ours.

import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

import { Webhook } from "standardwebhooks";

export interface DemoReceiver {
  url: string;
  stop: () => Promise<void>;
}

/** The body of every answer. The relay logs the body, and the demonstration reads the log. */
export type ReceiverAnswer =
  | { verified_by: "standardwebhooks"; bytes: number }
  | { refused_by: "standardwebhooks"; reason: string };

export const REFUSED_STATUS = 401;

/**
 * @param secret `whsec_…` of the demonstration's target.
 * @param listenOn a free port of 127.0.0.1 when not given; without a host, every address of this machine.
 * @returns the URL at which this machine reaches it.
 */
export async function startDemoReceiver(
  secret: string,
  listenOn: { host?: string; port: number } = { host: "127.0.0.1", port: 0 },
): Promise<DemoReceiver> {
  const webhook = new Webhook(secret);
  const server = createServer((request, response) => {
    // The sender went away before its request was complete.
    receive(request, response, webhook).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(listenOn, resolve);
  });
  return {
    url: `http://${listenOn.host ?? "127.0.0.1"}:${(server.address() as AddressInfo).port}/webhook`,
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      // The worker keeps its connections open.
      server.closeAllConnections();
      await closed;
    },
  };
}

async function receive(request: IncomingMessage, response: ServerResponse, webhook: Webhook): Promise<void> {
  const answer = verify(await buffer(request), request.headers, webhook);
  response.writeHead("verified_by" in answer ? 200 : REFUSED_STATUS, { "content-type": "application/json" });
  response.end(JSON.stringify(answer));
}

function verify(body: Buffer, headers: IncomingHttpHeaders, webhook: Webhook): ReceiverAnswer {
  try {
    webhook.verify(body, headers as Record<string, string>);
    return { verified_by: "standardwebhooks", bytes: body.length };
  } catch (error) {
    return { refused_by: "standardwebhooks", reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Reads what a target answered. Undefined when the answer is not one of this receiver's. */
export function readReceiverAnswer(text: string | null): ReceiverAnswer | undefined {
  try {
    const answer = JSON.parse(text ?? "") as Partial<Record<"verified_by" | "refused_by", string>> | null;
    const verifier = answer?.verified_by ?? answer?.refused_by;
    return verifier === "standardwebhooks" ? (answer as ReceiverAnswer) : undefined;
  } catch {
    return undefined;
  }
}
