// Sources whose webhooks a worker watches at the simulator of Gemini.

import { onTestFinished } from "vitest";

import { type GeminiSimulator, type SimulatorOptions, startGeminiSimulator } from "@sluice/gemini-simulator/simulator";
import { newId } from "@sluice/shared/domain/ids";
import { openLog } from "@sluice/shared/runtime/log";
import { MasterKey } from "@sluice/shared/settings/master-key";
import { Secret } from "@sluice/shared/settings/secret";
import { generateSigningSecret } from "@sluice/signature/secret";
import { setGeminiKey } from "@sluice/store/configuration/gemini-keys";
import { insertSource, SOURCE_DEFAULTS } from "@sluice/store/configuration/sources";
import type { Database } from "@sluice/store/connection/database";
import { toRegister } from "@sluice/store/upstream/upstream-intent";
import { runUpstream } from "@sluice/store/upstream/upstream-run";
import { watchNextUpstream } from "@sluice/store/upstream/upstream-watch";
import { RELAY_AUTHOR, type UpstreamDependencies } from "@sluice/store/upstream/upstream-work";
import { claimUpstream, ensureUpstream, getUpstream, type UpstreamRow } from "@sluice/store/upstream/upstreams";

import { readOperational } from "./operational.ts";

export const WATCHED_KEY = "AIzaSy-key-of-the-watch-tests";
export const WATCHED_MASTER_KEY = new MasterKey(Buffer.alloc(32, 7));

export interface Watched {
  simulator: GeminiSimulator;
  dependencies: UpstreamDependencies;
  reconciled: [string, number][];
}

export async function openWatched(db: Database, options: SimulatorOptions = {}): Promise<Watched> {
  await db.pool.query("DELETE FROM sources");
  await db.pool.query("DELETE FROM gemini_requests");
  const simulator = await startGeminiSimulator(options);
  onTestFinished(() => simulator.stop());
  const reconciled: [string, number][] = [];
  const dependencies: UpstreamDependencies = {
    db,
    masterKey: WATCHED_MASTER_KEY,
    geminiApiKey: undefined,
    geminiBaseUrl: simulator.url,
    geminiRequestsPerHour: 1_000,
    sourcesChanged: async () => undefined,
    wakeTarget: () => undefined,
    reconcileNow: async (...gap) => void reconciled.push(gap),
    seenLimitMs: 0,
    secretSpreadsMs: 0,
    log: openLog("worker", "silent"),
  };
  return { simulator, dependencies, reconciled };
}

let sources = 0;

/** A registered source, whose next check is due. */
export async function registerWatched({ dependencies }: Watched, key = WATCHED_KEY): Promise<string> {
  const { db } = dependencies;
  const name = `watched-${++sources}`;
  const settings = { ...SOURCE_DEFAULTS, name, schemes: ["v1" as const] };
  const { id } = await insertSource(db, WATCHED_MASTER_KEY, settings, {
    kind: "static",
    secret: generateSigningSecret(),
  });
  await setGeminiKey(db, WATCHED_MASTER_KEY, id, new Secret(key));
  const uri = `https://hooks.example.com/in/${name}`;
  await ensureUpstream(db, id, uri);
  const claim = { sourceId: id, holder: newId() };
  await claimUpstream(db, claim, toRegister(uri, null));
  await runUpstream(dependencies, claim, RELAY_AUTHOR);
  return id;
}

/** Lets the time of every check come, and does all that is due. */
export async function watchAll({ dependencies }: Watched): Promise<{ did: string; failure: Error | undefined }[]> {
  await dependencies.db.pool.query("UPDATE upstreams SET next_check_at = now() WHERE next_check_at IS NOT NULL");
  const all = [];
  for (;;) {
    const watched = await watchNextUpstream(dependencies);
    if (watched === undefined) return all;
    all.push(watched);
  }
}

export async function readWatched({ dependencies }: Watched, id: string): Promise<UpstreamRow> {
  const row = await getUpstream(dependencies.db, id);
  if (row === undefined) throw new Error("There is no row");
  return row;
}

export const driftCodesOf = (row: UpstreamRow) => row.drift.map(({ code }) => code);

/** The codes in each operational event, in their order. */
export async function readDriftEvents({ dependencies }: Watched): Promise<string[][]> {
  const { rows } = await dependencies.db.pool.query<{ body: Buffer }>(
    "SELECT body FROM events WHERE type = 'sluice.source.drift' AND source_id = '00000000-0000-7000-8000-000000000001' ORDER BY id",
  );
  return rows.map(({ body }) => readOperational(String(body)).data.drift.map(({ code }: { code: string }) => code));
}

export const forgetEvents = (db: Database) => db.pool.query("DELETE FROM events");

export const onlyWebhook = ({ simulator }: Watched) => {
  const [webhook] = simulator.webhooks.list();
  if (webhook === undefined) throw new Error("Gemini has no webhook");
  return webhook;
};
