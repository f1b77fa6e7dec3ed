// What becomes of a body that was refused before its end. A connection that is closed with bytes unread is reset,
// which can destroy the answer on its way: so the rest is discarded for a while, after the answer.

import type { HttpBindings } from "@hono/node-server";

/** Less than this is cheaper to read than a new connection is to make. */
const MAX_KEPT_BYTES = 64 * 1024;
/** Discarding costs no memory; this bounds what it costs in time. */
const MAX_DISCARDED_BYTES = 16 * 1024 * 1024;
const MAX_LINGER_MS = 5_000;
/** A sender that is silent for so long has seen the answer, or will not. */
const MAX_SILENCE_MS = 1_000;

/** What answers, and closes the connection after it and not at once, where it comes before a large body's end. */
export function lingerOverUnread({ incoming }: HttpBindings, response: Response): Response | Promise<Response> {
  if (incoming.complete || incoming.destroyed) return response;
  const length = incoming.headers["content-length"];
  const isKept =
    length !== undefined && Number(length) <= MAX_KEPT_BYTES && response.headers.get("connection") === null;
  // Node reads a body to its end that nobody wanted, before the next request on the connection.
  return isKept ? response : closeAfterRest(incoming, response);
}

async function closeAfterRest(incoming: HttpBindings["incoming"], response: Response): Promise<Response> {
  const answer = Buffer.from(await response.arrayBuffer());
  const headers = new Headers(response.headers);
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
  return new Response(body, { status: response.status, headers });
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
