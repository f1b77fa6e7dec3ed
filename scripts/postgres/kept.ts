// The embedded PostgreSQL of `npm start`: started again on the same port when it ends by itself, so that the
// apps find it where it was.

import { setTimeout as delay } from "node:timers/promises";

import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded.ts";
import { errorText } from "../relay/error-text.ts";

const RESTART_PAUSE_MS = 1_000;

export async function keepPostgres(dataDir: string): Promise<{ url: string; stop: () => Promise<void> }> {
  let current: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir });
  const { url, port } = current;
  const stopping = new AbortController();
  const keep = async () => {
    for (;;) {
      await current.exited;
      if (stopping.signal.aborted) return;
      console.error("PostgreSQL ended unexpectedly. Starting it again.");
      while (!stopping.signal.aborted) {
        try {
          // Gives the lock of the data back.
          await current.stop();
          current = await startEmbeddedPostgres({ dataDir, port });
          break;
        } catch (error) {
          console.error(errorText(error));
          await delay(RESTART_PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
        }
      }
    }
  };
  const kept = keep();
  return {
    url,
    stop: async () => {
      stopping.abort();
      await current.stop();
      // A restart may have been under way.
      await kept;
      await current.stop();
    },
  };
}
