// The embedded PostgreSQL of `npm start`. When PostgreSQL ends unexpectedly, it is started again on the same port, so
// that the apps find it at the same address.

import { setTimeout as delay } from "node:timers/promises";

import { errorText } from "../relay/error-text.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded.ts";

const RESTART_PAUSE_MS = 1_000;

export async function keepPostgres(dataDir: string): Promise<{ url: string; stop: () => Promise<void> }> {
  let current: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir });
  const { url, port } = current;
  const stopping = new AbortController();
  const keep = async () => {
    for (;;) {
      await current.exited;
      if (stopping.signal.aborted) return;
      console.error("The embedded PostgreSQL ended unexpectedly and is started again.");
      while (!stopping.signal.aborted) {
        try {
          // This releases the lock of the data.
          await current.stop();
          current = await startEmbeddedPostgres({ dataDir, port });
          break;
        } catch (error) {
          console.error(`The embedded PostgreSQL did not start: ${errorText(error)}`);
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
      // A restart may have been in progress.
      await kept;
      await current.stop();
    },
  };
}
