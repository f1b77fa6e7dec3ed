// Many demo events at once: how fast the relay acknowledges them, and how soon all of them are delivered.

import { setTimeout as delay } from "node:timers/promises";

import { detailOf, type RelayConnection } from "../relay/connection.ts";
import { sendDemoEvent } from "./event.ts";
import { REFUSED_STATUS } from "./receiver.ts";
import type { DemoSetup } from "./setup.ts";

export const FLOOD_CONCURRENCY = 64;
/** Counted from the last event. A slow relay delivers everything in this time, too. */
const DELIVERY_LIMIT_MS = 60_000;
const DELIVERY_LIMIT_PER_EVENT_MS = 10;
/** The clocks of this machine and of the relay may differ by this much. */
const CLOCK_MARGIN_MS = 10_000;
const COUNT_PAUSE_MS = 250;
const TTY_PROGRESS_MS = 100;
const LOG_PROGRESS_MS = 2_000;

/** Sends events, waits until all are delivered, and prints a summary. @returns whether every event was delivered. */
export async function flood(relay: RelayConnection, setup: DemoSetup, count: number): Promise<boolean> {
  const progress = openProgress();
  const since = new Date(Date.now() - CLOCK_MARGIN_MS).toISOString();
  const startedMs = performance.now();
  const seconds = () => (performance.now() - startedMs) / 1000;
  const missing = new Set<string>();
  const durationsMs: number[] = [];
  const refusals = new Map<string, number>();
  let left = count;
  const sendUntilDone = async () => {
    while (left > 0) {
      left--;
      const { webhookId, answer } = await sendDemoEvent(relay, setup);
      if (answer.status === 200) {
        missing.add(webhookId);
        durationsMs.push(answer.durationMs);
      } else {
        const reason = `${answer.status || "no answer"}: ${detailOf(answer.body)}`;
        refusals.set(reason, (refusals.get(reason) ?? 0) + 1);
      }
      progress.show(`sent ${count - left} of ${count}, accepted ${missing.size}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, FLOOD_CONCURRENCY) }, sendUntilDone));
  const sendSeconds = seconds();
  const accepted = missing.size;

  const deadlineMs = Date.now() + DELIVERY_LIMIT_MS + count * DELIVERY_LIMIT_PER_EVENT_MS;
  const query = { target: setup.targetId, since };
  let isRefused = false;
  while (missing.size > 0 && !isRefused && Date.now() < deadlineMs) {
    const countStartedMs = Date.now();
    for await (const { webhook_id: webhookId } of relay.api.list("/v1/deliveries", {
      ...query,
      status: ["succeeded"],
    })) {
      missing.delete(webhookId);
      if (missing.size === 0) break;
    }
    progress.show(`accepted ${accepted}, delivered ${accepted - missing.size}`);
    if (missing.size === 0) break;
    const refused = relay.api.list("/v1/deliveries", { ...query, status_code: [String(REFUSED_STATUS)] });
    isRefused = await includesAny(refused, missing);
    // Counting is work for the relay, too. It takes at most half of the time.
    await delay(Math.max(COUNT_PAUSE_MS, Date.now() - countStartedMs));
  }
  const deliverySeconds = seconds();
  progress.end();

  console.log(`  accepted   ${accepted} of ${count} in ${sendSeconds.toFixed(2)} s (${rate(accepted, sendSeconds)})`);
  console.log(`  answered   in p50 ${percentile(durationsMs, 0.5)} ms, p99 ${percentile(durationsMs, 0.99)} ms`);
  const delivered = accepted - missing.size;
  console.log(`  delivered  ${delivered} within ${deliverySeconds.toFixed(2)} s (${rate(delivered, deliverySeconds)})`);
  for (const [reason, times] of refusals) console.log(`  refused    ${times} times with ${reason}`);
  if (isRefused) console.log("  failed     the standardwebhooks library refused the signature of a delivery");
  if (missing.size > 0) console.log(`  missing    ${missing.size} are accepted and not delivered yet`);
  if (delivered > 0 && !isRefused) console.log("  signatures verified by the standardwebhooks library");
  console.log(
    `  log        ${relay.address.apiUrl}/v1/deliveries?target=${setup.targetId}&since=${since}&status=succeeded`,
  );
  return delivered === count;
}

async function includesAny(
  deliveries: AsyncIterable<{ webhook_id: string }>,
  wanted: ReadonlySet<string>,
): Promise<boolean> {
  for await (const { webhook_id: webhookId } of deliveries) if (wanted.has(webhookId)) return true;
  return false;
}

function rate(events: number, seconds: number): string {
  return `${Math.round(events / seconds)}/s`;
}

function percentile(values: number[], fraction: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.ceil(sorted.length * fraction) - 1] ?? 0).toFixed(1);
}

/** On a terminal, one line that is overwritten; in a log, a line every two seconds. */
function openProgress(): { show: (text: string) => void; end: () => void } {
  const { isTTY } = process.stdout;
  let shownMs = Date.now();
  return {
    show: (text) => {
      if (Date.now() - shownMs < (isTTY ? TTY_PROGRESS_MS : LOG_PROGRESS_MS)) return;
      shownMs = Date.now();
      // ESC [ K clears the rest of the line.
      process.stdout.write(isTTY ? `\r  ${text}\u001B[K` : `  ${text}\n`);
    },
    end: () => {
      if (isTTY) process.stdout.write("\r\u001B[K");
    },
  };
}
