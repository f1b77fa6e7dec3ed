// Events that intake does not store for a reason that the ingress could not know. Their senders were answered with a 200;
// so the log of rejections has to say what became of them.

import { newId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import type { RefusalReason } from "@sluice/signature/refusal";
import type { Database } from "@sluice/store/connection/database";
import type { NewEvent } from "@sluice/store/delivery/store-events";
import { insertRejections } from "@sluice/store/log/rejections";

interface RefusedLateDependencies {
  db: Database;
  log: Logger;
}

/** Records events whose JWT proved another webhook before. Never throws. */
export async function recordSpent(events: readonly NewEvent[], dependencies: RefusedLateDependencies): Promise<void> {
  if (events.length === 0) return;
  dependencies.log.warn({ events: events.length }, "events refused: their tokens proved other webhooks before");
  const detail = "The token proved a webhook with another webhook-id before; the sender was answered with 200";
  await record(events, "spent_token", detail, dependencies);
}

/** Records webhooks that came after the relay had made an event in their place. Never throws. */
export async function recordLate(events: readonly NewEvent[], dependencies: RefusedLateDependencies): Promise<void> {
  if (events.length === 0) return;
  dependencies.log.info({ events: events.length }, "late webhooks: their jobs were reconciled before");
  const detail =
    "The job of this webhook had ended, and the webhook had not come: the relay made its event before (see GET /v1/jobs). " +
    "This one is a duplicate; the sender was answered with 200";
  await record(events, "reconciled_before", detail, dependencies);
}

async function record(
  events: readonly NewEvent[],
  reason: RefusalReason,
  detail: string,
  { db, log }: RefusedLateDependencies,
): Promise<void> {
  const rows = events.map(({ sourceId, webhookId, body }) => ({
    id: newId(),
    sourceId,
    reason,
    detail,
    webhookId,
    remoteAddress: null,
    sizeBytes: body.length,
    weight: 1,
  }));
  try {
    await insertRejections(db, rows);
  } catch (error) {
    // Failure policy: open. A rejection is a note for the operator, and the log line is one too.
    log.warn({ err: error, reason }, "rejections not written: their rows are lost");
  }
}
