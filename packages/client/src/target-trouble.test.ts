// Which targets are called well, and which need somebody.

import { expect, test } from "vitest";

import type { SluiceClient } from "./client.ts";
import { readWatchedTargets } from "./target-trouble.ts";

const NOW = Date.parse("2026-01-22T12:00:00Z");
const ago = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString();
const WELL = { breaker: "closed", failing_since: null };

interface Seen {
  target?: object;
  waitingSince?: string;
  attempts?: { succeeded: number; failed: number };
}

async function troubleOf({ target = {}, waitingSince, attempts }: Seen) {
  const row = { id: "tgt_1", kind: "pull", state: "enabled", health: WELL, lost_secrets: [], last_pulled_at: null };
  const client = {
    get: async () => ({
      data: attempts === undefined ? [] : [{ group: "tgt_1", attempts }],
      now: {
        waiting: waitingSince === undefined ? [] : [{ target: "tgt_1", count: 3, oldest_created_at: waitingSince }],
      },
    }),
    list: async function* () {
      yield { ...row, ...target };
    },
  };
  const [watched] = await readWatchedTargets(client as unknown as SluiceClient, NOW);
  return watched?.trouble;
}

test.each<[string, Seen, string | undefined]>([
  ["nothing waits", {}, undefined],
  ["a delivery waits for a minute", { waitingSince: ago(1) }, undefined],
  ["nobody ever pulled what waits", { waitingSince: ago(20) }, "not_pulled"],
  ["somebody pulled lately", { waitingSince: ago(20), target: { last_pulled_at: ago(5) } }, undefined],
  ["nobody pulled for long", { waitingSince: ago(20), target: { last_pulled_at: ago(40) } }, "not_pulled"],
  ["every report is a failure", { attempts: { succeeded: 0, failed: 4 } }, "reports_failures"],
  ["some reports are failures", { attempts: { succeeded: 1, failed: 4 } }, undefined],
  ["it is paused", { waitingSince: ago(20), target: { state: "paused" } }, "paused"],
  ["it pulls nothing", { waitingSince: ago(20), target: { kind: "http" } }, undefined],
  ["its breaker is open", { target: { kind: "http", health: { ...WELL, breaker: "open" } } }, "breaker_open"],
  ["a secret of it is lost", { target: { state: "paused", lost_secrets: ["headers"] } }, "secret_lost"],
])("a target of which %s", async (_, seen, trouble) => {
  expect(await troubleOf(seen)).toBe(trouble);
});
