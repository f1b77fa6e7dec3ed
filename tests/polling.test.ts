// Readers that come back to a list for what is new, over a whole relay: with several workers, events that wait in a queue,
// replays, and a transaction that stays open.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, onTestFinished } from "vitest";

import { formatId } from "@sluice/shared/domain/ids";
import { readRevision } from "@sluice/store/connection/configuration-revision";
import { storeEvents } from "@sluice/store/delivery/store-events";

import { openTransaction } from "./support/open-transaction.ts";
import { type Relay, test } from "./support/relay.ts";
import { makeEvent, newLease } from "./support/seed.ts";
import { until } from "./support/wait.ts";

const WRITERS = 8;
const EVENTS_OF_WRITER = 12;

/** Starts examples/poll-events.ts as it is written. */
function startExample(relay: Relay, cursorFile: string) {
  const path = fileURLToPath(new URL("../examples/poll-events.ts", import.meta.url));
  const env = {
    PATH: process.env["PATH"],
    SLUICE_API: relay.apiUrl,
    SLUICE_API_KEY: relay.apiKey,
    CURSOR_FILE: cursorFile,
  };
  const child = spawn(process.execPath, [path], { env });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  return {
    ids: () => [...output.matchAll(/^(evt_\S+) /gm)].map(([, id = ""]) => id),
    stop: async () => {
      child.kill("SIGINT");
      expect(await once(child, "exit"), output).toEqual([0, null]);
    },
  };
}

/** Reads a list to its present end, and goes on from there at the next call. */
function openReader(relay: Relay, list: string) {
  const ids: string[] = [];
  let cursor = "";
  const readOn = async () => {
    for (let isEnd = false; !isEnd;) {
      const page = await relay.call("GET", `/v1/${list}?order=oldest&limit=20${cursor}`);
      ids.push(...(page.data as { id: string }[]).map(({ id }) => id));
      cursor = `&cursor=${page.resume_cursor}`;
      isEnd = page.next_cursor === null;
    }
    return ids;
  };
  return { ids, readOn };
}

async function countRows(relay: Relay, table: string): Promise<number> {
  const { rows } = await relay.database.db.pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
  return rows[0]?.count ?? 0;
}

test("examples/poll-events.ts, and readers of deliveries and attempts, get each row once", async ({
  relay,
  receiver,
}) => {
  const { db } = relay.database;
  const folder = mkdtempSync(join(tmpdir(), "sluice-polling-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  await relay.createTarget(receiver);
  const readers = ["deliveries", "attempts"].map((list) => openReader(relay, list));
  const first = startExample(relay, join(folder, "cursor"));
  const long = await openTransaction(db);
  const slow = makeEvent();
  await storeEvents(long.tx, await readRevision(db, "targets"), [slow], [], newLease());

  const second = await relay.startWorker();
  const write = async () => {
    for (let n = 0; n < EVENTS_OF_WRITER; n++) await relay.sendEvent();
  };
  const written = new AbortController();
  const writing = Promise.all(Array.from({ length: WRITERS }, write)).finally(() => written.abort());
  const reading = (async () => {
    while (!written.signal.aborted) for (const reader of readers) await reader.readOn();
  })();
  // Events now wait in the queue until there is a worker again, behind events that are sent later.
  await until(() => first.ids().length > 5);
  await Promise.all([second.stop(), relay.stopWorker()]);
  await first.stop();
  await Promise.all([writing, reading]);
  const again = startExample(relay, join(folder, "cursor"));
  const third = await relay.startWorker();
  onTestFinished(third.stop);
  const fourth = await relay.startWorker();
  onTestFinished(fourth.stop);

  const sent = WRITERS * EVENTS_OF_WRITER;
  await until(() => first.ids().length + again.ids().length === sent);
  // A delivery of a replay has an id that is as old as its event.
  const other = await relay.createTarget(receiver);
  const replayed = first.ids().slice(0, 5);
  for (const id of replayed) await relay.call("POST", `/v1/events/${id}:replay`, { targets: [other.id] });
  await long.commit();
  await until(() => again.ids().includes(formatId("evt", slow.id)));
  await again.stop();
  const read = [...first.ids(), ...again.ids()];
  expect(new Set(read).size).toBe(read.length);
  expect(read).toHaveLength(sent + 1);

  for (const [index, table] of ["deliveries", "attempts"].entries()) {
    await until(async () => (await countRows(relay, table)) === sent + replayed.length);
    const ids = (await readers[index]?.readOn()) ?? [];
    expect(ids).toHaveLength(sent + replayed.length);
    expect(new Set(ids).size).toBe(ids.length);
  }
});
