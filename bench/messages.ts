// What the bench tells its load generator and its receiver over their channels, and what they answer.

/** `whsec_…` of the source `gemini` in every rig. */
export const SECRET = `whsec_${Buffer.alloc(32, "sluice").toString("base64")}`;

/** New events until something is true; each with an id of its own, signed like Gemini's. */
export interface Load {
  /** Requests are spread over them. */
  urls: string[];
  bodyBytes: number;
  /** Closed: as fast as answers come, over so many connections. Open: so many each second, whatever comes back. */
  pace: { kind: "closed"; connections: number } | { kind: "open"; perSecond: number };
  until: { kind: "ms"; ms: number } | { kind: "count"; count: number };
  /** Of a closed pace: at most so many that were sent and did not arrive at the target yet. */
  maxUndelivered?: number;
}

export interface LoadResult {
  sent: number;
  accepted: number;
  /** Answers other than 2xx, by status; 0 is none at all. */
  refused: Record<string, number>;
  tookMs: number;
  /** From when a request was due to be sent to its answer, sorted. */
  acknowledgedMs: number[];
}

export type ToLoad = { kind: "run"; load: Load } | { kind: "arrived"; events: number };
export type FromLoad = { kind: "done"; result: LoadResult } | { kind: "failed"; error: string };

export interface Arrivals {
  /** Requests. */
  count: number;
  /** Of these, how many came with a `webhook-id` that came before to the same path. */
  repeated: number;
  /** On this machine's clock; undefined while there were none. */
  firstMs: number | undefined;
  lastMs: number | undefined;
  /** From when an event was due to be sent to its arrival, sorted; where that was asked for. */
  latenciesMs: number[];
}

export type ToReceiver = { kind: "reset"; latencies: boolean } | { kind: "report" };
export type FromReceiver =
  | { kind: "listening"; url: string }
  | { kind: "count"; count: number }
  | { kind: "report"; arrivals: Arrivals };

/** A clock that all processes of a machine share, finer than a millisecond. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}
