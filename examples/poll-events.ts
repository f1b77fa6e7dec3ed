// Copies every event of a relay to another place, here to the standard output: it reads the list from where the last run
// ended, comes back for new events, and gets each of them once, however late it was stored.
//
//   npm start                                               # in another terminal; it prints the API key
//   SLUICE_API_KEY=… node examples/poll-events.ts           # with Node 24
//   npm run demo                                            # sends an event
//
// Ctrl-C ends the program. The file CURSOR_FILE says where it goes on the next time; without it, it begins with the oldest
// event of the log.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const { SLUICE_API = "http://127.0.0.1:8081", SLUICE_API_KEY, CURSOR_FILE = "events.cursor" } = process.env;
if (SLUICE_API_KEY === undefined)
  throw new Error("Set SLUICE_API_KEY to an API key of the relay; `npm start` prints one.");

const POLL_MS = 1_000;

interface EventPage {
  data: { id: string; type: string | null; payload: unknown }[];
  /** Null when there are no more events now. */
  next_cursor: string | null;
  resume_cursor: string;
}

const stopping = new AbortController();
process.once("SIGINT", () => stopping.abort());

let cursor = existsSync(CURSOR_FILE) ? readFileSync(CURSOR_FILE, "utf8") : undefined;
while (!stopping.signal.aborted) {
  const page = await readPage(cursor);
  for (const event of page.data) console.log(event.id, event.type, JSON.stringify(event.payload));
  // After the events are dealt with: if the program crashes before, it gets them a second time and loses none.
  cursor = page.resume_cursor;
  writeFileSync(`${CURSOR_FILE}.new`, cursor);
  renameSync(`${CURSOR_FILE}.new`, CURSOR_FILE);
  if (page.next_cursor === null) await delay(POLL_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
}

async function readPage(from: string | undefined): Promise<EventPage> {
  const query = new URLSearchParams({ order: "oldest", limit: "250" });
  if (from !== undefined) query.set("cursor", from);
  const response = await fetch(`${SLUICE_API}/v1/events?${query.toString()}`, {
    headers: { authorization: `Bearer ${SLUICE_API_KEY}` },
  });
  // A cursor is valid for 23 hours. An answer with `invalid_cursor` says that events may have been missed.
  if (!response.ok) throw new Error(`The relay answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as EventPage;
}
