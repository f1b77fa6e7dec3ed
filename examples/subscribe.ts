// An internal service that subscribes itself to Gemini's events through a relay. It uses the official Gemini client, and
// verifies each event with the library `standardwebhooks`.
//
//   npm start                                               # in another terminal; it prints the API key
//   SLUICE_API_KEY=… node examples/subscribe.ts             # with Node 24
//   npm run demo                                            # sends an event
//
// Ctrl-C ends the program and deletes its subscription.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

import { GoogleGenAI } from "@google/genai";
import { Webhook } from "standardwebhooks";

const { SLUICE_API = "http://127.0.0.1:8081", SLUICE_API_KEY, PORT = "3000" } = process.env;
if (SLUICE_API_KEY === undefined)
  throw new Error("Set SLUICE_API_KEY to an API key of the relay; `npm start` prints one.");

let verifier: Webhook | undefined;

async function receive(request: IncomingMessage): Promise<number> {
  const body = await text(request);
  try {
    // `verify` throws for a wrong signature, and for a timestamp that is more than five minutes off.
    const event = verifier?.verify(body, request.headers as Record<string, string>) as { type: string; data: unknown };
    // An event can arrive more than once, with the same id each time.
    console.log(request.headers["webhook-id"], event.type, JSON.stringify(event.data));
    return 200;
  } catch (error) {
    console.error("refused an event:", error instanceof Error ? error.message : error);
    return 401;
  }
}

const server = createServer((request, response) => {
  receive(request).then(
    (status) => response.writeHead(status).end(),
    () => response.destroy(),
  );
});
await new Promise<void>((resolve) => server.listen(Number(PORT), "127.0.0.1", resolve));
const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/gemini`;

const { webhooks } = new GoogleGenAI({ apiKey: SLUICE_API_KEY, httpOptions: { baseUrl: SLUICE_API } });
const webhook = await webhooks.create({ name: "example", uri, subscribed_events: ["batch.*", "video.generated"] });
if (webhook.id === undefined || webhook.new_signing_secret === undefined) throw new Error("The relay made no webhook");
// The relay shows the secret only here. A service that keeps its subscription has to store the secret.
verifier = new Webhook(webhook.new_signing_secret);
console.log(`subscribed as ${webhook.id}`);
process.once("SIGINT", () => {
  void webhooks.delete(webhook.id ?? "").finally(() => server.close());
});
await webhooks.ping(webhook.id);
