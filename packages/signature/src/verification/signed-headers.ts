// The id and the timestamp as `v1` and `v1a` need them: both sign them, so neither can be missing.

import type { Refusal } from "../refusal.ts";
import { refused, type SignedRequest } from "./scheme.ts";

export function readSignedHeaders({
  webhookId,
  timestamp,
}: Omit<SignedRequest, "body">): ({ kind: "refused" } & Refusal) | { webhookId: string; timestamp: string } {
  if (webhookId === undefined) return refused("missing_header", "the header webhook-id is missing");
  if (timestamp === undefined) return refused("missing_header", "the header webhook-timestamp is missing");
  return { webhookId, timestamp };
}
