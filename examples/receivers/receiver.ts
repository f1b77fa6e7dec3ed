// A service that receives Gemini's events from Sluice, and verifies them with the library `standardwebhooks`.
//
//   WEBHOOK_SECRET=whsec_… PORT=3000 node examples/receivers/receiver.ts      # with Node 24
//
// It answers 204 to an event, and 401 to what it cannot verify.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

import { Webhook } from "standardwebhooks";

const { WEBHOOK_SECRET, PORT = "3000" } = process.env;
if (WEBHOOK_SECRET === undefined) throw new Error("Set WEBHOOK_SECRET to the signing secret of your target (whsec_…).");
const webhook = new Webhook(WEBHOOK_SECRET);

async function receive(request: IncomingMessage): Promise<number> {
  // The raw body: a body that was parsed and written again has another signature.
  const body = await buffer(request);
  let event: { type: string };
  try {
    // The headers are a plain object. A `Headers` of fetch would read as empty.
    event = webhook.verify(body, request.headers as Record<string, string>) as { type: string };
  } catch {
    return 401;
  }
  // An event can arrive more than once, with the same webhook-id each time.
  console.log(request.headers["webhook-id"], event.type);
  return 204;
}

const server = createServer((request, response) => {
  receive(request).then(
    (status) => response.writeHead(status).end(),
    () => response.destroy(),
  );
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(`listening on ${(server.address() as AddressInfo).port}`));
