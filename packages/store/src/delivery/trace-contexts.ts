// The trace context of an event that continues its caller's trace. The trace of every other event follows from its id, so
// only these few events have one in their row, and the statement that stores all events knows nothing of it.

import { eq } from "drizzle-orm";

import { packTraceContext, type TraceContext } from "@sluice/shared/domain/trace-context";

import type { Connection } from "../connection/database.ts";
import { events } from "../schema.ts";

/** MUST be in the transaction that stores the event, so that a worker never finds the event without it. */
export async function storeTraceContext(tx: Connection, eventId: string, context: TraceContext): Promise<void> {
  await tx.orm
    .update(events)
    .set({ traceContext: packTraceContext(context) })
    .where(eq(events.id, eventId));
}
