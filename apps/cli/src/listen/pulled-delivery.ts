// A delivery that a pull brought, and what became of it here.

import type { Schemas } from "@sluice/client/client";

export type PulledDelivery = Schemas["PulledDelivery"];

export interface ForwardResult {
  /** ISO 8601. */
  startedAt: string;
  durationMs: number;
  /** Null when no complete answer came. */
  statusCode: number | null;
  /** Why no complete answer came; null when one came. */
  error: string | null;
  responseExcerpt: string | null;
  /** What the service asks for by `Retry-After`. */
  retryAfterSeconds: number | undefined;
}
