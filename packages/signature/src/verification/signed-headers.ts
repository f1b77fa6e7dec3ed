// Reads the id and the timestamp for `v1` and `v1a`. Both schemes sign the two headers, so neither header may be missing.

import { type Refusal, refuse } from "../refusal.ts";
import type { SignedRequest } from "./scheme.ts";

interface SignedHeaders {
  kind: "present";
  webhookId: string;
  timestamp: string;
}

export function readSignedHeaders({ webhookId, timestamp }: Omit<SignedRequest, "body">): SignedHeaders | Refusal {
  if (webhookId === undefined) return refuse("missing_header", "the header webhook-id is missing");
  if (timestamp === undefined) return refuse("missing_header", "the header webhook-timestamp is missing");
  return { kind: "present", webhookId, timestamp };
}
