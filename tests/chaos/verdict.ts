// Waits until the relay has finished, and names the promises that it broke.

import { setTimeout as delay } from "node:timers/promises";

import { type Fault, RECOVER_LIMIT_MS } from "./fault.ts";
import { type Account, countStored, reconcile } from "./reconcile.ts";
import type { Stage } from "./stage.ts";

/** The time in which an event that was refused during the fault must be accepted. */
const ACCEPT_LIMIT_MS = 60_000;
/** Longer than every limit of recovery, so that the account tells a late delivery from a lost one. */
const DRAIN_LIMIT_MS = 120_000;
const DRAIN_POLL_MS = 500;

/**
 * Ends the sender, and counts when everything is delivered, or at the limit.
 * @param endedAtMs the end of the fault, in milliseconds since 1970.
 * @param limitFactor a factor for the time limits.
 */
export async function settle(
  stage: Stage,
  endedAtMs: number,
  fault: Allowances,
  limitFactor: number,
): Promise<Account> {
  const { sender, postgres } = stage;
  await sender.finish(ACCEPT_LIMIT_MS * limitFactor);
  const accepted = sender.events.filter(({ acceptedAtMs }) => acceptedAtMs !== undefined).length;
  await waitUntilDone(postgres.url, accepted, DRAIN_LIMIT_MS * limitFactor);
  return reconcile(stage, endedAtMs, fault.mayUnsubscribe !== undefined);
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

/** What a fault allows the relay to do. */
type Allowances = Pick<Fault, "mayRefuse" | "mayCut" | "mustNotRepeat" | "mayUnsubscribe" | "recoverLimitMs">;

/**
 * Lists the broken promises.
 * @param inFlight the deliveries that may be repeated.
 */
export function judge(fault: Allowances, account: Account, inFlight: number, limitFactor: number): string[] {
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
