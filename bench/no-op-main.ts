// The yardstick is a Hono server that only reads a webhook and answers 200.

import { type HttpBindings, serve } from "@hono/node-server";
import { Hono } from "hono";

const app = new Hono<{ Bindings: HttpBindings }>().post("/in/gemini", async (context) => {
  await context.req.arrayBuffer();
  return context.body(null);
});
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) =>
  process.send?.({ url: `http://127.0.0.1:${port}/in/gemini` }),
);
process.on("disconnect", () => process.exit());
