// Events whose JWT proved another webhook before. Their senders were answered with a 200, because the ingress did not know
// of the other webhook; so the log of rejections has to say what became of them.

import { newId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import type { Database } from "@sluice/store/connection/database";
import type { NewEvent } from "@sluice/store/delivery/store-events";
import { insertRejections } from "@sluice/store/log/rejections";

/** Never throws. */
export async function recordSpent(
  events: readonly NewEvent[],
  { db, log }: { db: Database; log: Logger },
): Promise<void> {
  if (events.length === 0) return;
  log.warn({ events: events.length }, "events refused: their tokens proved other webhooks before");
  const rows = events.map(({ sourceId, webhookId, body }) => ({
    id: newId(),
    sourceId,
    reason: "spent_token" as const,
    detail: "The token proved a webhook with another webhook-id before; the sender was answered with 200",
    webhookId,
    remoteAddress: null,
    sizeBytes: body.length,
    weight: 1,
  }));
  try {
    await insertRejections(db, rows);
  } catch (error) {
    // Failure policy: open. A rejection is a note for the operator, and the line above is one too.
    log.warn({ err: error }, "rejections not written: their rows are lost");
  }
}
