// The id and the timestamp as `v1` and `v1a` need them: both sign them, so neither can be missing.

import { refused, type SchemeVerdict, type SignedRequest } from "./scheme.ts";

export function readSignedHeaders(request: SignedRequest): SchemeVerdict | { webhookId: string; timestamp: string } {
  const { webhookId, timestamp } = request;
  if (webhookId === undefined) return refused("missing_header", "the header webhook-id is missing");
  if (timestamp === undefined) return refused("missing_header", "the header webhook-timestamp is missing");
  return { webhookId, timestamp };
}
