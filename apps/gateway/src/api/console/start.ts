// `/` on the port of the API: people want the console, and programs want to know what there is.

import type { Context } from "hono";
import { parseAccept } from "hono/utils/accept";

export function answerStart(c: Context): Response {
  c.header("vary", "Accept");
  const isPerson = parseAccept(c.req.header("accept") ?? "").some(({ type, q }) => type === "text/html" && q > 0);
  if (isPerson) return c.redirect("/console/");
  return c.json({ console: "/console/", docs: "/docs", openapi: "/openapi.json", api: "/v1" });
}
