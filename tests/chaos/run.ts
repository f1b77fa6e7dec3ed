// A run of one fault, from an empty stage to the verdict.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { within } from "@sluice/shared/runtime/within";

import type { ProcessGroup } from "../support/process-group.ts";
import { type Fault, RECOVER_LIMIT_MS } from "./fault.ts";
import { createRandom } from "./random.ts";
import { type Account, countStored, reconcile } from "./reconcile.ts";
import { type Stage, startStage } from "./stage.ts";

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

/** The time in which an event that was refused during the fault must be accepted. */
const ACCEPT_LIMIT_MS = 60_000;
/** Longer than every limit of recovery, so that the account tells a late delivery from a lost one. */
const DRAIN_LIMIT_MS = 120_000;
const COUNT_LIMIT_MS = 4_000;
const DRAIN_POLL_MS = 500;
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
      const { account, inFlight } = await play(stage, fault, options);
      const broken = judge(fault, account, inFlight, options.limitFactor);
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
  const { sender, random, postgres } = stage;
  await delay(warmUpMs + random.integer(0, JITTER_MS));
  const before = await stage.countInHand();
  await fault.inject(stage);
  // The count is exact for a killed worker, whose leases stay. A store that is away or hangs does not answer.
  const after = (await within(COUNT_LIMIT_MS, stage.countInHand()).catch(() => 0)) ?? 0;
  await delay(fault.holdMs ?? 0);
  const endedAtMs = Date.now();
  await fault.undo?.(stage);
  await delay(tailMs);
  await sender.finish(ACCEPT_LIMIT_MS * limitFactor);
  const accepted = sender.events.filter(({ acceptedAtMs }) => acceptedAtMs !== undefined).length;
  await waitUntilDone(postgres.url, accepted, DRAIN_LIMIT_MS * limitFactor);
  const account = await reconcile(stage, endedAtMs, fault.mayUnsubscribe !== undefined);
  return { account, inFlight: Math.max(before, after, account.unanswered) };
}

/** Waits until every accepted event is delivered, or until the limit. The account then names the missing ones. */
async function waitUntilDone(url: string, accepted: number, limitMs: number): Promise<void> {
  const isDone = async () => {
    const { events, unfinished } = await countStored(url);
    return events >= accepted && unfinished === 0;
  };
  const deadlineMs = Date.now() + limitMs;
  // Each look opens a connection on a busy machine, so it comes seldom.
  while (Date.now() < deadlineMs && !(await isDone().catch(() => false))) await delay(DRAIN_POLL_MS);
}

/** Lists the broken promises. */
function judge(fault: Fault, account: Account, inFlight: number, limitFactor: number): string[] {
  const recoverLimitMs = (fault.recoverLimitMs ?? RECOVER_LIMIT_MS) * limitFactor;
  const mayRepeat = fault.mustNotRepeat === undefined ? inFlight : 0;
  const { lost, refused, cut } = account;
  const faults: [boolean, string][] = [
    [account.accepted === 0, "no event was accepted"],
    [lost.length > 0, `${lost.length} deliveries of accepted events were lost`],
    [account.duplicateEvents > 0, `${account.duplicateEvents} webhook ids became more than one event`],
    [account.stored < account.accepted, `${account.accepted - account.stored} accepted events are not stored`],
    [account.unfinished > 0, `${account.unfinished} deliveries are not finished`],
    [account.repeated > mayRepeat, `${account.repeated} deliveries were repeated, and ${mayRepeat} may be`],
    [account.damaged > 0, `${account.damaged} requests came with another body or signature`],
    [account.followed > 0, `${account.followed} redirects were followed`],
    [account.neverAccepted > 0, `${account.neverAccepted} events were never accepted`],
    [refused > 0 && fault.mayRefuse === undefined, `${refused} valid events were refused at first`],
    [cut > 0 && fault.mayCut === undefined, `${cut} valid events got no answer at first`],
    [account.recoverMs > recoverLimitMs, `${account.recoverMs} ms to recover, and ${recoverLimitMs} ms are allowed`],
  ];
  return faults.filter(([isBroken]) => isBroken).map(([, text]) => text);
}
