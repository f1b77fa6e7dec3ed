// The embedded PostgreSQL of `npm start`, with the URLs of its roles. When PostgreSQL ends unexpectedly, it is started
// again on the same port, so that the apps find it at the same address.

import { setTimeout as delay } from "node:timers/promises";

import type { RoleUrls } from "@sluice/store/connection/roles";

import { errorText } from "@sluice/shared/runtime/error-text";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded.ts";
import { openRoleUrls } from "./role-urls.ts";

const RESTART_PAUSE_MS = 1_000;

export async function keepPostgres(dataDir: string): Promise<{ urls: RoleUrls; stop: () => Promise<void> }> {
  let current: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir });
  const { url, port } = current;
  const urls = openRoleUrls(dataDir, url);
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
    urls,
    stop: async () => {
      stopping.abort();
      await current.stop();
      // A restart may have been in progress.
      await kept;
      await current.stop();
    },
  };
}
