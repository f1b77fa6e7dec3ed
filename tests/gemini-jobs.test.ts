// Every job is exactly one event at each target, whatever becomes of its webhook. `npm run test:gemini` plays 10,000 jobs.

import { expect } from "vitest";

import { test } from "./support/database.ts";
import { runGeminiJobs } from "./support/gemini-run.ts";
import { createQueueRedis } from "./support/relay.ts";

const JOBS = Number(process.env["GEMINI_JOBS"] ?? 200);
const SEED = Number(process.env["GEMINI_SEED"] ?? 1);
/** On a quiet machine, 10,000 jobs take some ten minutes. */
const LIMIT_MS = 3_600_000;

const write = (text: string) => void process.stderr.write(`${text}\n`);

test(
  "every job is one event at each target and every end is told, though webhooks are lost, late and doubled and workers die",
  { timeout: LIMIT_MS },
  async ({ database, onTestFinished }) => {
    const redis = await createQueueRedis();
    onTestFinished(async () => redis?.drop());
    const isLarge = JOBS > 1_000;
    const options = { jobs: JOBS, seed: SEED, kills: isLarge ? 10 : 2, log: isLarge ? write : undefined };
    const { broken, account } = await runGeminiJobs(database, redis?.url, options);
    if (isLarge) write(JSON.stringify({ seed: SEED, ...account }));
    expect(broken).toEqual([]);
    expect(account).toMatchObject({ jobs: JOBS, worker_deaths: options.kills });
    // The faults have happened.
    for (const name of [
      "seen",
      "reconciled",
      "late_duplicates",
      "webhooks_never",
      "webhooks_late",
      "webhooks_succeeded",
    ])
      expect(account[name], name).toBeGreaterThan(0);
    expect(account["late_duplicates"]).toBeGreaterThanOrEqual(account["webhooks_late"] ?? 0);
  },
);
