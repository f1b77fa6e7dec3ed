// A run of one fault, from an empty stage to the verdict.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { within } from "@sluice/shared/runtime/within";

import type { ProcessGroup } from "../support/process-group.ts";
import type { Fault } from "./fault.ts";
import { createRandom } from "./random.ts";
import type { Account } from "./reconcile.ts";
import { type Stage, startStage } from "./stage.ts";
import { judge, settle } from "./verdict.ts";

export interface RunOptions {
  seed: number;
  /** New events per second. Repeats come on top. */
  perSecond: number;
  /** The time with load before the fault, and after it. */
  warmUpMs: number;
  tailMs: number;
  /** A factor for every time limit; above 1 for a busy machine. */
  limitFactor: number;
}

export type Result =
  | { fault: string; outcome: "skipped"; reason: string }
  | {
      fault: string;
      outcome: "kept" | "broken";
      /** The broken promises; empty when all were kept. */
      broken: string[];
      account: Account;
      /** The deliveries in progress at the fault, or the attempts that got no answer because of it. */
      inFlight: number;
      durationMs: number;
      /** The directory of the logs, which is kept when a promise was broken. */
      directory: string;
    };

const COUNT_LIMIT_MS = 4_000;
const JITTER_MS = 500;

/** @throws Error when the stage cannot be built or the fault cannot be injected. */
export async function runFault(fault: Fault, group: ProcessGroup, options: RunOptions): Promise<Result> {
  const startedMs = performance.now();
  const directory = join(group.directory, fault.name);
  const prepared = fault.prepare?.(directory, group) ?? { options: {} };
  if (typeof prepared === "string") return { fault: fault.name, outcome: "skipped", reason: prepared };
  const random = createRandom(options.seed).derive(fault.name);
  try {
    const stage = await startStage(directory, group, random, { perSecond: options.perSecond, ...prepared.options });
    try {
      const { account, inFlight, broken } = await play(stage, fault, options);
      const durationMs = performance.now() - startedMs;
      const outcome = broken.length === 0 ? "kept" : "broken";
      const result = { fault: fault.name, outcome, broken, account, inFlight, durationMs, directory } as const;
      if (outcome === "broken") writeFileSync(join(directory, "result.json"), JSON.stringify(result, null, 2));
      return result;
    } finally {
      await stage.stop();
    }
  } finally {
    prepared.cleanUp?.();
  }
}

async function play(stage: Stage, fault: Fault, { warmUpMs, tailMs, limitFactor }: RunOptions) {
  const { random } = stage;
  await delay(warmUpMs + random.integer(0, JITTER_MS));
  const before = await stage.countInHand();
  const check = await fault.inject(stage);
  // The count is exact for a killed worker, whose leases stay. A store that is away or hangs does not answer.
  const after = (await within(COUNT_LIMIT_MS, stage.countInHand()).catch(() => 0)) ?? 0;
  await delay(fault.holdMs ?? 0);
  const endedAtMs = Date.now();
  await fault.undo?.(stage);
  await delay(tailMs);
  const account = await settle(stage, endedAtMs, fault, limitFactor);
  const inFlight = Math.max(before, after, account.unanswered);
  const broken = [...judge(fault, account, inFlight, limitFactor), ...((await check?.(limitFactor)) ?? [])];
  return { account, inFlight, broken };
}
