// The catalogue of jobs: their data, and how often each kind is started. A job is JSON in Redis or PostgreSQL, and a
// change to its shape MUST keep the jobs readable that an older version left behind.

import type { EventScheme } from "@sluice/store/delivery/event-schemes";

/** A verified request on its way to the ledger. Times are milliseconds since 1970. */
export interface QueuedEvent {
  id: string;
  sourceId: string;
  /** Filters need the name, and a worker does not load sources. */
  sourceName?: string;
  webhookId: string;
  scheme: EventScheme;
  receivedAtMs: number;
  contentType: string | null;
  /** The `content-encoding` of the request, when it has one: the signature covers the bytes as they came. */
  contentEncoding?: string;
  /** The raw bytes in base64, because a body need not be text. */
  body: string;
  /** The labels of the callback URL that received the event. */
  labels?: Record<string, string>;
  /** The user metadata of the JWT that verified the event, when the body has none. */
  userMetadata?: Record<string, unknown>;
  /** The JWT that proved the webhook: it proves only the webhook id that it came with first. */
  token?: { id: string; expiresAtMs: number };
  /** True when the signature proves the sender and does not cover the body. */
  bodyUnbound?: boolean;
}

export interface JobData {
  /** A small batch of events. The gateway acknowledges all of them when this job is durable. */
  intake: { events: QueuedEvent[] };
  /**
   * A target has deliveries that are due. The job is only a hint, because the deliveries themselves are in PostgreSQL.
   * `deliveryId` names the delivery of a target test: a worker attempts it now, whatever the state of the target.
   */
  deliver: { targetId: string; deliveryId?: string };
}

export type JobName = keyof JobData;

/** How often a job is started before it is set aside as failed. It stays there until somebody acts on it. */
export const MAX_STARTS: Record<JobName, number> = {
  intake: 5,
  // The sweep repeats every hint, so a lost hint costs seconds.
  deliver: 1,
};

/** The pause before a job that failed once is started again. It doubles with each further failure. */
export const RESTART_DELAY_MS = 1_000;
