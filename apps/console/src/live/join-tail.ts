// Joins the tail of this browser: through the SharedWorker, or with a stream of its own where a browser has none.

import { type SearchParams, stringifySearch } from "../data/search-params.ts";
import { type HubMessage, TailHub } from "./tail-hub.ts";
import type { TabMessage } from "./tail-worker.ts";

const SAY_EVERY_MS = 20_000;

/**
 * @param query filters that the relay applies.
 * @returns the function that leaves it.
 */
export function joinTail(query: SearchParams, tell: (message: HubMessage) => void): () => void {
  if (typeof SharedWorker === "undefined") return new TailHub(location.origin, query).join(tell);
  const worker = new SharedWorker(new URL("./tail-worker.ts", import.meta.url), {
    type: "module",
    name: `sluice-tail${stringifySearch(query)}`,
  });
  const { port } = worker;
  const send = (message: TabMessage) => port.postMessage(message);
  port.addEventListener("message", ({ data }: MessageEvent<HubMessage>) => tell(data));
  port.start();
  // A worker that cannot be loaded, as after an upgrade of the relay, says so only here.
  worker.addEventListener("error", () => {
    tell({ kind: "status", status: { kind: "refused", detail: "The tail could not be loaded. Load the page again." } });
  });
  const timer = setInterval(() => send("here"), SAY_EVERY_MS);
  const leave = () => {
    clearInterval(timer);
    removeEventListener("pagehide", leave);
    send("leave");
    port.close();
  };
  addEventListener("pagehide", leave);
  return leave;
}
