// The trace of one event, as the API shows it to everyone: accepted, verified, stored, each attempt, the log.

import { setTimeout as delay } from "node:timers/promises";

import type { Schemas } from "@sluice/client/client";

import { detailOf, type RelayConnection } from "../relay/connection.ts";
import { makeSignInLink } from "../relay/sign-in-link.ts";
import type { SentEvent } from "./event.ts";
import { readReceiverAnswer, REFUSED_STATUS } from "./receiver.ts";
import { DEMO } from "./setup.ts";

const FOLLOW_LIMIT_MS = 30_000;
const POLL_MS = 30;
const VERIFIED = "verified by the standardwebhooks library";

type Delivery = Schemas["DeliveryWithAttempts"];

/**
 * Follows an event until the demo's target has it, and prints its trace.
 * @returns whether the target received the event and verified its signature. @throws Error when the API does not answer.
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
    line("failed", `the event is not stored after ${FOLLOW_LIMIT_MS / 1000} s. Check that the worker is running.`);
    return false;
  }
  line("verified", `by ${event.scheme} with the secret of the source ${DEMO}`);
  line("stored", `${event.id}, ${event.type ?? "no type"}, ${event.size_bytes} bytes`);
  for (const delivery of deliveries) printDelivery(delivery, targetId);
  const log = `${relay.address.apiUrl}/v1/deliveries?webhook_id=${webhookId}`;
  line("log", log);
  line("", `curl -H "Authorization: Bearer ${relay.address.apiKeyHint}" "${log}"`);
  line("console", await makeSignInLink(relay.address, `/console/events/${event.id}`));
  const failure = findFailure(deliveries.find(({ target }) => target === targetId));
  if (failure !== undefined) line("failed", failure);
  return failure === undefined;
}

function printDelivery(delivery: Delivery, targetId: string): void {
  const name = delivery.target === targetId ? DEMO : delivery.target;
  for (const attempt of delivery.attempts) {
    const outcome = attempt.status_code ?? attempt.error ?? "no answer";
    const took = milliseconds(attempt.duration_ms);
    line(`attempt ${attempt.number}`, `to ${name}: ${outcome} in ${took} ${printable(attempt.response_excerpt)}`);
    const answer = delivery.target === targetId ? readReceiverAnswer(attempt.response_excerpt) : undefined;
    if (answer === undefined) continue;
    const verdict = "reason" in answer ? `refused by the standardwebhooks library: ${answer.reason}` : VERIFIED;
    line("signature", printable(verdict));
  }
  const next = delivery.next_attempt_at === null ? "" : `, next attempt at ${delivery.next_attempt_at}`;
  line(delivery.status, `${delivery.id} to ${name}${next}`);
}

/** Says why the demo's target does not have the event with a verified signature; undefined when it has. */
function findFailure(delivery: Delivery | undefined): string | undefined {
  const last = delivery?.attempts.at(-1);
  const answer = readReceiverAnswer(last?.response_excerpt ?? null);
  if (answer !== undefined && "refused_by" in answer) {
    return `the target ${DEMO} refused the signature of the relay`;
  }
  if (delivery?.status !== "succeeded") return `the target ${DEMO} has not received the event`;
  return answer === undefined ? `the target ${DEMO} did not say that it verified the signature` : undefined;
}

async function follow(
  { api }: RelayConnection,
  webhookId: string,
  targetId: string,
): Promise<{ event: Schemas["Event"] | undefined; deliveries: Delivery[] }> {
  const params = { query: { webhook_id: webhookId } };
  for (const deadlineMs = Date.now() + FOLLOW_LIMIT_MS; ; await delay(POLL_MS)) {
    const deliveries = (await api.get("/v1/deliveries", { params })).data;
    // The relay would repeat a delivery that the receiver refused, with the same result.
    const isFinished = deliveries.some(
      ({ target, status, last_status_code: code }) =>
        target === targetId && (status !== "pending" || code === REFUSED_STATUS),
    );
    if (!isFinished && Date.now() < deadlineMs) continue;
    const event = (await api.get("/v1/events", { params })).data[0];
    const read = ({ id }: { id: string }) => api.get("/v1/deliveries/{id}", { params: { path: { id } } });
    return { event, deliveries: await Promise.all(deliveries.map(read)) };
  }
}

function line(word: string, text: string): void {
  console.log(`  ${word.padEnd(10)} ${text}`);
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** The bytes of a target go to a terminal, so control characters are replaced. */
function printable(text: string | null): string {
  return (text ?? "").replaceAll(/\p{Cc}+/gu, " ").slice(0, 100);
}
