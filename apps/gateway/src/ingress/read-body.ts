// Reads a request's body as raw bytes, never more than the limit: a body is counted while it arrives, whatever
// its Content-Length says.

import type { IncomingMessage } from "node:http";

export type BodyResult = { kind: "complete"; body: Buffer } | { kind: "too_large" } | { kind: "interrupted" };

/** Whether the sender itself says that the body is above the limit: no need to read it. */
export function announcesTooMuch(contentLength: string | undefined, maxBytes: number): boolean {
  return contentLength !== undefined && Number(contentLength) > maxBytes;
}

export function readBody(incoming: IncomingMessage, maxBytes: number): Promise<BodyResult> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (result: BodyResult) => {
      incoming.off("data", onData).off("end", onEnd).off("error", onInterrupted).off("close", onInterrupted);
      resolve(result);
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else settle({ kind: "too_large" });
    };
    const onEnd = () =>
      settle({ kind: "complete", body: chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks) });
    const onInterrupted = () => settle({ kind: "interrupted" });
    incoming.on("data", onData).on("end", onEnd).on("error", onInterrupted).on("close", onInterrupted);
  });
}
