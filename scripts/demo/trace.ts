// The trace of one event, read from the API as anyone can: accepted, verified, stored, each attempt, the log.

import { setTimeout as delay } from "node:timers/promises";

import { DEMO, type SentEvent } from "./event.ts";
import { detailOf, type RelayConnection } from "../relay/connection.ts";

const FOLLOW_LIMIT_MS = 30_000;
const POLL_MS = 30;

interface Event {
  id: string;
  type: string | null;
  scheme: string;
  size_bytes: number;
}

interface Attempt {
  number: number;
  duration_ms: number;
  status_code: number | null;
  error: string | null;
  response_excerpt: string | null;
}

interface Delivery {
  id: string;
  target: string;
  status: string;
  next_attempt_at: string | null;
  attempts: Attempt[];
}

interface List<T> {
  data: T[];
}

/**
 * Follows an event until the demo's target has it, and prints its trace.
 * @returns whether it was delivered to that target. @throws Error when the API does not answer.
 */
export async function printTrace(relay: RelayConnection, targetId: string, sent: SentEvent): Promise<boolean> {
  const { webhookId, answer } = sent;
  if (answer.status !== 200) {
    line("refused", `${answer.status === 0 ? "no answer" : answer.status}: ${detailOf(answer.body)}`);
    return false;
  }
  line("accepted", `${answer.status} in ${milliseconds(answer.durationMs)}, webhook-id ${webhookId}`);
  const { event, deliveries } = await follow(relay, webhookId, targetId);
  if (event === undefined) {
    line("waiting", `not stored after ${FOLLOW_LIMIT_MS / 1000} s; is the worker running?`);
    return false;
  }
  line("verified", `by ${event.scheme} with the secret of the source ${DEMO}`);
  line("stored", `${event.id}, ${event.type ?? "no type"}, ${event.size_bytes} bytes`);
  for (const delivery of deliveries) {
    const name = delivery.target === targetId ? DEMO : delivery.target;
    for (const attempt of delivery.attempts) {
      const outcome = attempt.status_code ?? attempt.error ?? "no answer";
      line(
        `attempt ${attempt.number}`,
        `to ${name}: ${outcome} in ${milliseconds(attempt.duration_ms)} ${excerpt(attempt)}`,
      );
    }
    const next = delivery.next_attempt_at === null ? "" : `, next attempt at ${delivery.next_attempt_at}`;
    line(delivery.status, `${delivery.id} to ${name}${next}`);
  }
  const log = `${relay.address.apiUrl}/v1/deliveries?webhook_id=${webhookId}`;
  line("log", log);
  line("", `curl -H "Authorization: Bearer ${relay.address.apiKeyHint}" "${log}"`);
  const delivered = deliveries.some(({ target, status }) => target === targetId && status === "succeeded");
  if (!delivered) line("failed", `the target ${DEMO} has not received the event`);
  return delivered;
}

async function follow(
  relay: RelayConnection,
  webhookId: string,
  targetId: string,
): Promise<{ event: Event | undefined; deliveries: Delivery[] }> {
  const query = `?webhook_id=${encodeURIComponent(webhookId)}`;
  for (const deadlineMs = Date.now() + FOLLOW_LIMIT_MS; ; await delay(POLL_MS)) {
    const deliveries = (await relay.api<List<Delivery>>("GET", `/v1/deliveries${query}`)).data;
    // Other targets of this relay are not the demo's to wait for.
    const isFinished = deliveries.some((delivery) => delivery.target === targetId && delivery.status !== "pending");
    if (!isFinished && Date.now() < deadlineMs) continue;
    const event = (await relay.api<List<Event>>("GET", `/v1/events${query}`)).data[0];
    const read = ({ id }: Delivery) => relay.api<Delivery>("GET", `/v1/deliveries/${id}`);
    return { event, deliveries: await Promise.all(deliveries.map(read)) };
  }
}

function line(word: string, text: string): void {
  console.log(`  ${word.padEnd(10)} ${text}`);
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function excerpt({ response_excerpt: text }: Attempt): string {
  // The target's bytes go to a terminal: no control characters.
  return (text ?? "").replaceAll(/\p{Cc}+/gu, " ").slice(0, 100);
}
