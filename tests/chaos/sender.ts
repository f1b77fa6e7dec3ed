// The sender behaves like Gemini: it sends events at a steady rate in an open loop, sends some events more than once or
// several times at once, and repeats each event with the same id until it is accepted. It records every try.

import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

import { signWebhook } from "../support/sign.ts";
import type { Balancer } from "./balancer.ts";
import type { Random } from "./random.ts";

interface Try {
  atMs: number;
  durationMs: number;
  /** 0 when no gateway answered. */
  status: number;
  /** The body of the answer, or the reason why no answer came. */
  text: string;
  /** True when it follows a failed try. */
  isRetry: boolean;
}

export interface SentEvent {
  webhookId: string;
  type: string;
  /** True when the filtered target gets the event. */
  isFiltered: boolean;
  sha256: string;
  sentAtMs: number;
  /** The time of the first 2xx. */
  acceptedAtMs: number | undefined;
  tries: Try[];
}

export interface Sender {
  events: readonly SentEvent[];
  /** The number of events that were not sent, because the machine was too slow. */
  heldBack: () => number;
  /** Sends events at once, of one type when one is given. */
  burst: (count: number, type?: string) => void;
  pause: () => void;
  resume: () => void;
  /** Resolves when no request is in progress. It is useful only after `pause`. */
  settled: () => Promise<void>;
  /** Stops new events, and waits until every event is accepted, or until the limit. */
  finish: (limitMs: number) => Promise<void>;
}

export interface SenderOptions {
  balancer: Balancer;
  secret: string;
  perSecond: number;
  random: Random;
}

/** {@link FILTERED} matches some of these types and teams. */
const TYPES = ["batch.succeeded", "batch.failed", "interaction.completed", "video.generated"];
const TEAMS = ["billing", "search"];
export const FILTERED = {
  subscribed_events: ["batch.*", "video.generated"],
  filter: 'event.user_metadata.team == "billing"',
};

const REPEATED_SHARE = 0.08;
const CONCURRENT_SHARE = 0.04;
const MAX_COPIES = 3;
const REPEAT_WITHIN_MS = 1_500;
/** Gemini's pauses grow in the same way, but are longer. */
const RETRY_BASE_MS = 250;
const RETRY_CAP_MS = 2_000;
const TICK_MS = 5;
/**
 * With the requests of so many seconds in progress, the machine is too slow, and the sender skips events. More of them
 * would measure only the machine. No fault makes the relay leave so many requests waiting.
 */
const MAX_BACKLOG_SECONDS = 6;

export function startSender({ balancer, secret, perSecond, random }: SenderOptions): Sender {
  const events: SentEvent[] = [];
  const stopping = new AbortController();
  const givingUp = new AbortController();
  const underWay = new Set<Promise<void>>();
  let isPaused = false;
  let requestsUnderWay = 0;
  let heldBack = 0;

  const post = async (event: SentEvent, body: string, isRetry: boolean) => {
    const atMs = Date.now();
    const started = performance.now();
    requestsUnderWay += 1;
    // Each try has a new signature. Otherwise the timestamp would be too old after a long outage. Whether Gemini refreshes
    // the timestamp is not known.
    const { headers } = signWebhook({ secret, body, webhookId: event.webhookId });
    const { status, text } = await balancer.post("/in/gemini", headers, body);
    requestsUnderWay -= 1;
    if (status >= 200 && status < 300) event.acceptedAtMs ??= Date.now();
    event.tries.push({ atMs, durationMs: performance.now() - started, status, text: text.slice(0, 300), isRetry });
  };
  const deliver = async (event: SentEvent, body: string) => {
    for (let failures = 0; !givingUp.signal.aborted; failures++) {
      await post(event, body, failures > 0);
      if (event.acceptedAtMs !== undefined) return;
      const waitMs = Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** failures) * (0.5 + Math.random());
      await delay(waitMs, undefined, { signal: givingUp.signal }).catch(() => undefined);
    }
  };
  const track = (work: Promise<unknown>) => {
    const tracked = work.then(() => void underWay.delete(tracked));
    underWay.add(tracked);
  };
  const sendNew = (type?: string) => {
    const made = makeEvent(events.length, random, type);
    events.push(made.event);
    track(deliver(made.event, made.body));
    return made;
  };
  const sendNext = () => {
    const { event, body } = sendNew();
    const chance = random.next();
    if (chance < CONCURRENT_SHARE) {
      for (let copy = random.integer(1, MAX_COPIES); copy > 0; copy--) track(post(event, body, false));
    } else if (chance < CONCURRENT_SHARE + REPEATED_SHARE) {
      const inMs = random.integer(0, REPEAT_WITHIN_MS);
      track(delay(inMs).then(() => post(event, body, false)));
    }
  };
  const loop = async () => {
    let dueMs = performance.now();
    while (!stopping.signal.aborted) {
      const nowMs = performance.now();
      // Open loop: late events are sent, too, and the loop waits for no answer.
      for (; dueMs <= nowMs; dueMs += 1_000 / perSecond) {
        if (isPaused) continue;
        if (requestsUnderWay < perSecond * MAX_BACKLOG_SECONDS) sendNext();
        else heldBack += 1;
      }
      await delay(TICK_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const looping = loop();
  const settled = async () => {
    while (underWay.size > 0) await Promise.all(underWay);
  };
  return {
    events,
    heldBack: () => heldBack,
    burst: (count, type) => {
      for (let sent = 0; sent < count; sent++) sendNew(type);
    },
    pause: () => {
      isPaused = true;
    },
    resume: () => {
      isPaused = false;
    },
    settled,
    finish: async (limitMs) => {
      stopping.abort();
      await looping;
      const limit = setTimeout(() => givingUp.abort(), limitMs);
      await settled();
      clearTimeout(limit);
    },
  };
}

function makeEvent(
  index: number,
  random: Random,
  type: string = random.pick(TYPES),
): { event: SentEvent; body: string } {
  const team = random.pick(TEAMS);
  // The characters have two to four bytes in UTF-8. One event of fifty may be large.
  const note = "é漢🙂".repeat(random.integer(0, index % 50 === 0 ? 2_000 : 20));
  const body = JSON.stringify({
    type,
    version: "v1",
    timestamp: new Date().toISOString(),
    data: { id: `batch_${index}`, note },
    user_metadata: { team },
  });
  const event = {
    webhookId: `msg_${index}_${random.integer(0, 0xffffffff).toString(16)}`,
    type,
    isFiltered: team === "billing" && (type.startsWith("batch.") || type === "video.generated"),
    sha256: createHash("sha256").update(body).digest("hex"),
    sentAtMs: Date.now(),
    acceptedAtMs: undefined,
    tries: [],
  };
  return { event, body };
}
