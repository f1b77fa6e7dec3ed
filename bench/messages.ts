// The messages between the bench, its load generator and its receiver.

/** The signing secret of the source `gemini` in every rig, as `whsec_…`. */
export const SECRET = `whsec_${Buffer.alloc(32, "sluice").toString("base64")}`;

/** A load of new events. Each has its own id, and is signed as Gemini signs. */
export interface Load {
  /** Requests are spread over these URLs. */
  urls: string[];
  bodyBytes: number;
  /**
   * Closed: each connection sends its next request when an answer came. Open: so many requests per second, whether answers
   * come or not.
   */
  pace: { kind: "closed"; connections: number } | { kind: "open"; perSecond: number };
  until: { kind: "ms"; ms: number } | { kind: "count"; count: number };
  /** For a closed pace: the most events that were sent and have not arrived at the target yet. */
  maxUndelivered?: number;
}

export interface LoadResult {
  sent: number;
  accepted: number;
  /** The number of answers other than 2xx for each status; 0 means no answer. */
  refused: Record<string, number>;
  tookMs: number;
  /** Milliseconds from when a request was due to its answer, in ascending order. */
  acknowledgedMs: number[];
}

export type ToLoad = { kind: "run"; load: Load } | { kind: "arrived"; events: number };
export type FromLoad = { kind: "done"; result: LoadResult } | { kind: "failed"; error: string };

export interface Arrivals {
  /** The number of requests. */
  count: number;
  /** The number of requests whose `webhook-id` had already come to the same path. */
  repeated: number;
  /** The time of the first request by {@link now}; undefined before it. */
  firstMs: number | undefined;
  lastMs: number | undefined;
  /** Milliseconds from when an event was due to its arrival, in ascending order; empty unless latencies were wanted. */
  latenciesMs: number[];
}

export type ToReceiver =
  | { kind: "reset"; latencies: boolean }
  | { kind: "report" }
  /** Listens on more ports, so that there are at least so many. */
  | { kind: "open"; ports: number };
export type FromReceiver =
  | { kind: "listening"; url: string }
  | { kind: "opened"; urls: string[] }
  | { kind: "count"; count: number }
  | { kind: "report"; arrivals: Arrivals };

/** A clock that all processes of a machine share, in milliseconds with fractions. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}
