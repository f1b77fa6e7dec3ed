// The worker of the plainest relay: it inserts each event into one table and posts it to one URL. It writes down no attempt.

import { Worker } from "bullmq";
import { Redis } from "ioredis";
import pg from "pg";
import { Pool } from "undici";

import { BARE_INSERT, BARE_QUEUE, readBareEnvironment } from "./bare.ts";

const { redisUrl, databaseUrl, targetUrl } = readBareEnvironment();
const postgres = new pg.Pool({ connectionString: databaseUrl, max: 4 });
// PostgreSQL stops before this process.
postgres.on("error", () => process.exit());
const target = new Pool(targetUrl, { connections: 32 });
const worker = new Worker<{ id: string; body: string }>(
  BARE_QUEUE,
  async ({ data }) => {
    const body = Buffer.from(data.body, "base64");
    await postgres.query({ name: "insert", text: BARE_INSERT, values: [data.id, body] });
    const headers = { "content-type": "application/json", "webhook-id": data.id };
    const answer = await target.request({ path: "/1", method: "POST", headers, body });
    await answer.body.dump();
  },
  { connection: new Redis(redisUrl, { maxRetriesPerRequest: null }), concurrency: 32 },
);
worker.on("error", () => process.exit());
await worker.waitUntilReady();
process.send?.({ url: "" });
process.on("disconnect", () => process.exit());
