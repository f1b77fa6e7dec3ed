// Discards the rest of a body that was refused before its end. If the gateway closed the connection with unread bytes,
// the kernel would reset it, and the reset could destroy the answer on its way. So the gateway answers first, reads on
// for a while, and closes the connection then.

import type { HttpBindings } from "@hono/node-server";

/** Reading a rest of this size is cheaper than a new connection. */
const MAX_KEPT_BYTES = 64 * 1024;
/** Discarding needs no memory, but it needs time. */
const MAX_DISCARDED_BYTES = 16 * 1024 * 1024;
const MAX_LINGER_MS = 5_000;
/** A sender that sends nothing for so long has read the answer, or never will. */
const MAX_SILENCE_MS = 1_000;

/** @returns the response. If it answers before the end of a large body, its stream ends only after the rest of the body. */
export async function lingerOverUnread({ incoming }: HttpBindings, response: Response): Promise<Response> {
  if (incoming.complete || incoming.destroyed) return response;
  const length = incoming.headers["content-length"];
  // No body was announced, so nothing is unread.
  if (length === undefined && incoming.headers["transfer-encoding"] === undefined) return response;
  const keepsConnection =
    length !== undefined && Number(length) <= MAX_KEPT_BYTES && response.headers.get("connection") === null;
  // Before the next request on a connection that stays open, Node itself reads the unread rest of this body.
  return keepsConnection ? response : closeAfterRest(incoming, response);
}

async function closeAfterRest(incoming: HttpBindings["incoming"], response: Response): Promise<Response> {
  const answer = Buffer.from(await response.arrayBuffer());
  const headers = new Headers(response.headers);
  headers.set("connection", "close");
  // With its length, the sender has the whole answer at once, although the stream ends later.
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

/** Resolves at the end of the body, or at the first limit. */
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
