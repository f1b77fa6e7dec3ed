// The gateway of the plainest relay: it adds a job to BullMQ for each request and answers. It verifies nothing.

import { type HttpBindings, serve } from "@hono/node-server";
import { Queue } from "bullmq";
import { Hono } from "hono";
import { Redis } from "ioredis";

import { BARE_QUEUE, readBareEnvironment } from "./bare.ts";

const { redisUrl } = readBareEnvironment();
const queue = new Queue(BARE_QUEUE, { connection: new Redis(redisUrl, { maxRetriesPerRequest: null }) });
await queue.waitUntilReady();
const app = new Hono<{ Bindings: HttpBindings }>().post("/in/gemini", async (context) => {
  const body = Buffer.from(await context.req.arrayBuffer()).toString("base64");
  await queue.add("event", { id: context.req.header("webhook-id"), body }, { removeOnComplete: true });
  return context.json({ status: "received" });
});
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) =>
  process.send?.({ url: `http://127.0.0.1:${port}/in/gemini` }),
);
process.on("disconnect", () => process.exit());
