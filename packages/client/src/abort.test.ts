// A call and a tail end when their signal aborts, also after the garbage collector has run: Node forgets what an abort passes
// through unless somebody holds it.

import { createServer } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { expect, onTestFinished, test } from "vitest";

import { listenOnLoopback } from "../../../tests/support/listen.ts";
import { createSluiceClient } from "./client.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** A server that begins an answer to a tail, and answers nothing else. */
async function openSilentServer() {
  const arrived = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    response.on("close", () => left.resolve());
    if (request.url?.startsWith("/v1/tail") === true)
      response.writeHead(200, { "content-type": "text/event-stream" }).write(": ok\n\n");
    arrived.resolve();
  });
  const port = await listenOnLoopback(server);
  onTestFinished(() => server.closeAllConnections());
  onTestFinished(() => void server.close());
  const sluice = createSluiceClient({ baseUrl: `http://127.0.0.1:${port}`, apiKey: "key" });
  return { sluice, arrived: arrived.promise, left: left.promise };
}

async function collectOften(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test.for(["plain", "combined"])("a call ends with its %s signal", async (kind) => {
  const { sluice, arrived, left } = await openSilentServer();
  const stop = new AbortController();
  const call = () => {
    const signal = kind === "plain" ? stop.signal : AbortSignal.any([stop.signal, AbortSignal.timeout(600_000)]);
    return sluice.post("/v1/events", { body: { type: "batch.succeeded", data: {} }, signal });
  };
  const ended = expect(call()).rejects.toThrow("enough");
  await arrived;
  await collectOften();
  stop.abort(new Error("enough"));
  await ended;
  await left;
});

test("a tail ends with its signal", async () => {
  const { sluice, arrived, left } = await openSilentServer();
  const stop = new AbortController();
  const follow = async () => {
    for await (const entry of sluice.tail({ signal: stop.signal })) throw new Error(`nothing was sent: ${entry.event}`);
  };
  const ended = follow();
  await arrived;
  await collectOften();
  stop.abort();
  await ended;
  await left;
});
