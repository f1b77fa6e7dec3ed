// Follows the live tail over lost connections, as an EventSource does: it continues after the last id that it received, and
// so misses nothing. An EventSource itself cannot send an API key.

import { createParser } from "eventsource-parser";

import { ApiError } from "./api-error.ts";
import type { components } from "./api-types.ts";
import { waitOrAbort } from "./wait-or-abort.ts";

/** `overflow` is left out: it says that the caller was slow, and the tail continues on a new connection. */
type ShownMessage = Exclude<components["schemas"]["TailMessage"], { event: "overflow" }>;

export type TailEntry = ShownMessage & {
  /** A tail that is opened with this id continues after this entry. It may repeat the entries of the same moment. */
  lastEventId: string | undefined;
};

export interface FollowOptions {
  /** Opens one connection. @throws ApiError when the relay refuses it. */
  connect: (lastEventId: string | undefined, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;
  lastEventId?: string | undefined;
  signal: AbortSignal;
  /** Is told each connection that is there, and each that is lost or could not be made again. */
  onConnection?: ((state: TailConnection) => void) | undefined;
}

export type TailConnection = "open" | "lost";

/** The relay sends a heartbeat each 15 seconds. After this time without one the connection is dead. */
const LONGEST_SILENCE_MS = 45_000;
/** Until the relay has said how long to wait before a new connection. */
const FIRST_RECONNECT_MS = 1_000;
/** The answers that a repetition does not cure. */
const isFinal = (error: unknown) =>
  error instanceof ApiError && error.status < 500 && error.status !== 429 && error.status !== 408;

/**
 * Yields entries until the caller stops or aborts the signal. The first connection must succeed, so that a wrong address
 * or key is seen at once. A later one is repeated until it succeeds.
 * @throws ApiError when the relay refuses the tail, such as when the key was revoked, or the id is too old.
 */
export async function* followTail({
  connect,
  signal,
  onConnection,
  ...options
}: FollowOptions): AsyncGenerator<TailEntry, void> {
  let { lastEventId } = options;
  let reconnectMs = FIRST_RECONNECT_MS;
  let wasOpen = false;
  while (!signal.aborted) {
    const ended = new AbortController();
    // By a listener of its own, because what AbortSignal.any makes may be collected while the stream is open.
    const end = () => ended.abort(signal.reason);
    signal.addEventListener("abort", end, { once: true });
    const withinSilence = async <T>(step: Promise<T>): Promise<T> => {
      const timer = setTimeout(() => ended.abort(new Error("The tail was silent for too long")), LONGEST_SILENCE_MS);
      return step.finally(() => clearTimeout(timer));
    };
    try {
      const received: TailEntry[] = [];
      const parser = createParser({
        onId: (id) => (lastEventId = id),
        onRetry: (ms) => (reconnectMs = ms),
        onEvent: ({ event, data }) => {
          if (event === "overflow") return;
          received.push({ event, data: JSON.parse(data) as unknown, lastEventId } as TailEntry);
        },
      });
      const stream = await withinSilence(connect(lastEventId, ended.signal));
      wasOpen = true;
      onConnection?.("open");
      const reader = stream.getReader();
      ended.signal.addEventListener("abort", () => void reader.cancel(ended.signal.reason).catch(() => undefined));
      const decoder = new TextDecoder();
      for (;;) {
        const { done, value } = await withinSilence(reader.read());
        if (done) break;
        parser.feed(decoder.decode(value, { stream: true }));
        yield* received.splice(0);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isFinal(error) || !wasOpen) throw error;
    } finally {
      signal.removeEventListener("abort", end);
      ended.abort();
    }
    if (!signal.aborted) onConnection?.("lost");
    await waitOrAbort(reconnectMs, signal).catch(() => undefined);
  }
}
