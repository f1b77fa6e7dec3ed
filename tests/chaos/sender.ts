// The sender, as Gemini is one: an open loop at a steady rate, some events more than once and at once, and every event
// again with the same id until it is accepted. It keeps what became of each.

import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

import { signWebhook } from "../support/sign.ts";
import type { Balancer } from "./balancer.ts";
import type { Random } from "./random.ts";

interface Try {
  atMs: number;
  durationMs: number;
  /** 0 is no answer of a gateway. */
  status: number;
  /** The answer's body, or why there is none. */
  text: string;
  /** Whether it came after a try that failed. */
  isRetry: boolean;
}

export interface SentEvent {
  webhookId: string;
  type: string;
  /** Whether the filtered target gets it. */
  isFiltered: boolean;
  sha256: string;
  sentAtMs: number;
  /** When a first 2xx came. */
  acceptedAtMs: number | undefined;
  tries: Try[];
}

export interface Sender {
  events: readonly SentEvent[];
  /** How many events were not sent, because the machine did not keep up. */
  heldBack: () => number;
  pause: () => void;
  resume: () => void;
  /** Fulfils when nothing is under way. Of use while it is paused. */
  settled: () => Promise<void>;
  /** Sends nothing new, and waits until every event is accepted, or the limit is over. */
  finish: (limitMs: number) => Promise<void>;
}

export interface SenderOptions {
  balancer: Balancer;
  secret: string;
  perSecond: number;
  random: Random;
}

/** The types and the metadata that the filtered target wants: see {@link FILTERED}. */
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
/** Gemini's are longer; the same in kind. */
const RETRY_BASE_MS = 250;
const RETRY_CAP_MS = 2_000;
const TICK_MS = 5;
/**
 * With so many seconds' worth of requests under way, the machine does not keep up, and the next ones are sent later: more
 * of them would measure nothing else. Far above what a relay leaves waiting in any fault.
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
    // Signed anew: whether Gemini refreshes the timestamp is not known, and a long outage must not make it stale.
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
  const sendNext = () => {
    const { event, body } = makeEvent(events.length, random);
    events.push(event);
    track(deliver(event, body));
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
      // Open loop: what is late is sent all the same, and no answer is waited for.
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

function makeEvent(index: number, random: Random): { event: SentEvent; body: string } {
  const type = random.pick(TYPES);
  const team = random.pick(TEAMS);
  // Characters of one to four bytes, and now and then a large one.
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
