// A service that fetches its events from Sluice instead of being called: behind a firewall, or as a batch consumer. It pulls,
// verifies, and reports what became of each event. It makes its target by itself, and leaves it where it is.
//
//   npm start                                               # in another terminal; it prints the API key
//   SLUICE_API_KEY=… node examples/pull.ts                  # with Node 24
//   npm run demo                                            # sends an event
//
// Ctrl-C ends the program. What it has pulled and not reported is due again when its lease ends.

import { createSluiceClient } from "@sluice/client/client";
import { Webhook } from "standardwebhooks";

const { SLUICE_API = "http://127.0.0.1:8081", SLUICE_API_KEY, TARGET = "pull-example" } = process.env;
if (SLUICE_API_KEY === undefined)
  throw new Error("Set SLUICE_API_KEY to an API key of the relay; `npm start` prints one.");

const sluice = createSluiceClient({ baseUrl: SLUICE_API, apiKey: SLUICE_API_KEY });
const stopping = new AbortController();
process.once("SIGINT", () => stopping.abort());

const target = await sluice.put("/v1/targets/by-name/{name}", {
  params: { path: { name: TARGET } },
  body: { kind: "pull", subscribed_events: ["*"] },
});
const { id } = target;
// A service keeps its secret. This example makes a new one each time, and what is due is signed with the new one too.
const { new_signing_secret: secret = "" } = await sluice.post("/v1/targets/{id}:rotate-secret", {
  params: { path: { id } },
  body: { previous: "revoke_immediately" },
});
const webhook = new Webhook(secret);
console.log(`pulling for ${target.name}`);

while (!stopping.signal.aborted) {
  const { deliveries } = await pull().catch((error: unknown) => {
    if (stopping.signal.aborted) return { deliveries: [] };
    throw error;
  });
  const results = deliveries.map(({ token, headers, body }) => {
    const startedAt = performance.now();
    const report = handle(headers, Buffer.from(body, "base64"));
    return { token, duration_ms: performance.now() - startedAt, ...report };
  });
  if (results.length > 0) await sluice.post("/v1/targets/{id}:ack", { params: { path: { id } }, body: { results } });
}

/** Waits on the side of the relay, so that an event is here as soon as it is there. */
function pull() {
  const body = { wait_seconds: 25, max: 10, lease_seconds: 45 };
  return sluice.post("/v1/targets/{id}:pull", { params: { path: { id } }, body, signal: stopping.signal });
}

/** What a service does with an event. @returns what a service that is called would answer. */
function handle(headers: Record<string, string>, body: Buffer): { status_code: number; response_excerpt?: string } {
  try {
    const event = webhook.verify(body.toString(), headers) as { type: string; data: unknown };
    // An event can arrive more than once, with the same webhook-id each time.
    console.log(headers["webhook-id"], event.type, JSON.stringify(event.data));
    return { status_code: 204 };
  } catch (error) {
    console.log("refused an event:", (error as Error).message);
    return { status_code: 401, response_excerpt: (error as Error).message };
  }
}
