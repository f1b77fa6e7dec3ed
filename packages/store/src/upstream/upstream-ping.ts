// Proves that the whole way works: asks Gemini to ping the webhook, and waits until an event of the source is in the
// log. Gemini answers a ping the same whether or not it can be delivered, so that only the log tells.

import { setTimeout as delay } from "node:timers/promises";

import { and, desc, eq, gt } from "drizzle-orm";

import { GeminiFailure } from "@sluice/gemini/failure";

import type { Connection } from "../connection/database.ts";
import { events, rejections } from "../schema.ts";
import { beginStep, type UpstreamWork } from "./upstream-work.ts";

/** A gateway, the queue and a worker take a tenth of a second. Gemini was seen to take some seconds. */
const DEFAULT_SEEN_LIMIT_MS = 20_000;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 500;
const FIRST_ID = "00000000-0000-0000-0000-000000000000";

/** The newest event of a source. Ids are times, so this is also when it came. */
export async function findLastEvent(
  on: Connection,
  sourceId: string,
  afterId = FIRST_ID,
): Promise<{ id: string; type: string | null } | undefined> {
  const [event] = await on.orm
    .select({ id: events.id, type: events.type })
    .from(events)
    .where(and(eq(events.sourceId, sourceId), gt(events.id, afterId)))
    .orderBy(desc(events.id))
    .limit(1);
  return event;
}

async function findLastRejection(on: Connection, sourceId: string, afterId = FIRST_ID) {
  const [rejection] = await on.orm
    .select({ id: rejections.id, reason: rejections.reason })
    .from(rejections)
    .where(and(eq(rejections.sourceId, sourceId), gt(rejections.id, afterId)))
    .orderBy(desc(rejections.id))
    .limit(1);
  return rejection;
}

/**
 * Adds the steps `pinged` and `event_seen`, or a warning that says where the way ended. Any event of the source will
 * do: each proves that Gemini's webhooks arrive and verify. Never throws a GeminiFailure: what was registered stays
 * registered.
 */
export async function pingUpstream(work: UpstreamWork, webhookId: string): Promise<void> {
  const { dependencies, claim, webhooks, steps, warnings } = work;
  const { db, seenLimitMs = DEFAULT_SEEN_LIMIT_MS } = dependencies;
  await beginStep(work, "ping");
  // By ids and not by clocks: the clocks of this process and of the gateways may differ.
  const [before, refusedBefore] = await Promise.all([
    findLastEvent(db, claim.sourceId),
    findLastRejection(db, claim.sourceId),
  ]);
  try {
    await webhooks.ping(webhookId);
  } catch (error) {
    if (!(error instanceof GeminiFailure)) throw error;
    warnings.push({ code: "ping_failed", detail: error.message });
    return;
  }
  steps.push({ step: "pinged", detail: "Gemini was asked to send a ping" });
  const deadlineMs = performance.now() + seenLimitMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    const event = await findLastEvent(db, claim.sourceId, before?.id);
    if (event !== undefined) {
      steps.push({ step: "event_seen", detail: `An event of the type ${event.type ?? "(none)"} arrived and verified` });
      return;
    }
    if (performance.now() >= deadlineMs) break;
    await delay(pauseMs);
  }
  const refused = await findLastRejection(db, claim.sourceId, refusedBefore?.id);
  warnings.push({ code: "ping_not_seen", detail: describeUnseen(work.row.uri, seenLimitMs, refused?.reason) });
}

function describeUnseen(uri: string, limitMs: number, reason: string | undefined): string {
  const waited = `No event arrived in the log within ${limitMs / 1000} s after the ping`;
  return reason === undefined
    ? `${waited}, and no webhook was refused. See that ${uri} reaches the ingress from the internet and that a worker runs; ` +
        "Gemini may also not have sent the ping."
    : `${waited}, but a webhook was refused with ${reason}: GET /v1/rejections says more.`;
}
