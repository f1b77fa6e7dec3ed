// What becomes of a body that was refused before its end. A connection that is closed with bytes unread is reset,
// which can destroy the answer on its way: so the rest is discarded for a while, after the answer.

import type { HttpBindings } from "@hono/node-server";
import type { MiddlewareHandler } from "hono";

/** Less than this is cheaper to read than a new connection is to make. */
const MAX_KEPT_BYTES = 64 * 1024;
/** Discarding costs no memory; this bounds what it costs in time. */
const MAX_DISCARDED_BYTES = 16 * 1024 * 1024;
const MAX_LINGER_MS = 5_000;
/** A sender that is silent for so long has seen the answer, or will not. */
const MAX_SILENCE_MS = 1_000;

/** Closes the connection after an answer that came before a large body's end, and not at once. */
export function lingerOverUnread(): MiddlewareHandler<{ Bindings: HttpBindings }> {
  return async (c, next) => {
    await next();
    const { incoming } = c.env;
    if (incoming.complete || incoming.destroyed) return;
    const length = incoming.headers["content-length"];
    const isKept = length !== undefined && Number(length) <= MAX_KEPT_BYTES && c.res.headers.get("connection") === null;
    // Node reads a body to its end that nobody wanted, before the next request on the connection.
    if (isKept) return;
    const answer = Buffer.from(await c.res.arrayBuffer());
    const headers = new Headers(c.res.headers);
    headers.set("connection", "close");
    // The sender has all of the answer at once; it is the end of the stream that waits.
    headers.set("content-length", String(answer.length));
    const body = new ReadableStream<Uint8Array>({
      start: async (controller) => {
        controller.enqueue(answer);
        await discard(incoming);
        controller.close();
      },
    });
    c.res = new Response(body, { status: c.res.status, headers });
  };
}

/** Resolves when the body has ended, or enough of it was waited for. */
function discard(incoming: HttpBindings["incoming"]): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const end = () => {
      clearTimeout(silence);
      clearTimeout(limit);
      incoming.off("data", onData).off("end", end).off("error", end).off("close", end);
      resolve();
    };
    const silence = setTimeout(end, MAX_SILENCE_MS);
    const limit = setTimeout(end, MAX_LINGER_MS);
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_DISCARDED_BYTES) end();
      else silence.refresh();
    };
    incoming.on("data", onData).on("end", end).on("error", end).on("close", end);
  });
}
