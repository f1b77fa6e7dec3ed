// The job catalogue: what travels through the queues, and how. A job is JSON in Redis or PostgreSQL; changes to
// a shape MUST stay readable for jobs that an older version left behind.

/** A verified request on its way to the ledger. Times are milliseconds since 1970. */
export interface QueuedEvent {
  id: string;
  sourceId: string;
  /** For filters: a worker does not load sources. */
  sourceName?: string;
  webhookId: string;
  scheme: string;
  receivedAtMs: number;
  contentType: string | null;
  /** Base64 of the raw bytes: a body need not be text. */
  body: string;
  /** Of the callback URL that it came by. */
  labels?: Record<string, string>;
  /** Of the JWT that verified it, where the body has none. */
  userMetadata?: Record<string, unknown>;
  /** The signature proves who sent it and not what was sent. */
  bodyUnbound?: boolean;
}

export interface JobData {
  /** A micro-batch of requests, acknowledged together when this job was durable. */
  intake: { events: QueuedEvent[] };
  /**
   * A target has deliveries that are due. Only a hint: the deliveries themselves are in PostgreSQL.
   * `deliveryId` names one that is to be attempted now, whatever the state of the target: a test.
   */
  deliver: { targetId: string; deliveryId?: string };
}

export type JobName = keyof JobData;

/** How often a job is started before it is set aside as failed, where it stays until somebody looks. */
export const MAX_STARTS: Record<JobName, number> = {
  intake: 5,
  // The sweep repeats every hint, so a lost one costs seconds.
  deliver: 1,
};

/** Pause before a job that failed is started again, doubling. */
export const RESTART_DELAY_MS = 1_000;
