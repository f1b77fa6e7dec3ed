// The SharedWorker of all tabs that ask the relay for the same: one stream, however many tabs show the tail. Browsers allow only six connections
// to a host without HTTP/2, and a stream occupies one.

import { parseSearch } from "../data/search-params.ts";
import { type HubMessage, TailHub } from "./tail-hub.ts";

/** What a tab says: that it is there, and that it leaves. */
export type TabMessage = "here" | "leave";

/** A browser slows the timers of a hidden tab down to one in a minute. */
const SILENT_MS = 150_000;
const LOOK_EVERY_MS = 30_000;

// A browser has one shared worker for each name, and so one stream for each set of filters that the relay applies.
const { name } = globalThis as unknown as { name: string };
const hub = new TailHub(location.origin, parseSearch(name.replace(/^[^?]*/, "")));
const tabs = new Map<MessagePort, { leave: () => void; heardMs: number }>();

// The types of TypeScript have the events of a page, not those of a shared worker.
addEventListener("connect" as "message", ({ ports: [port] }) => {
  if (port === undefined) return;
  const leave = hub.join((message: HubMessage) => port.postMessage(message));
  tabs.set(port, { leave, heardMs: Date.now() });
  port.addEventListener("message", ({ data }: MessageEvent<TabMessage>) => {
    const tab = tabs.get(port);
    if (tab !== undefined) tab.heardMs = Date.now();
    if (data === "leave") forget(port);
  });
  port.start();
});

// A tab that crashed says nothing. Its stream would stay open for ever.
setInterval(() => {
  for (const [port, { heardMs }] of tabs) {
    if (Date.now() - heardMs > SILENT_MS) forget(port);
  }
}, LOOK_EVERY_MS);

function forget(port: MessagePort): void {
  tabs.get(port)?.leave();
  tabs.delete(port);
  port.close();
}
