// One request as the log, the metrics and the rejections see it. It fills while the request is answered.

import { formatId } from "@sluice/shared/domain/ids";
import type { Refusal } from "@sluice/signature/refusal";
import type { ErrorCode } from "@sluice/shared/runtime/errors";
import type { Source } from "@sluice/store/configuration/sources";

export interface IngressRequest {
  /** `performance.now()`. */
  startedAt: number;
  /** As in the path: not yet known to be a source's. */
  sourceName: string;
  source?: Source | undefined;
  remoteAddress: string | undefined;
  /** As in the header, until it is verified. */
  webhookId: string | undefined;
  /** Of the body; as announced, where it was not read. */
  sizeBytes: number | undefined;
  status: number;
  code?: ErrorCode;
  refusal?: Refusal;
  /** A UUID. */
  eventId?: string;
}

/** The wide line of a request, without what could be a secret: a token in the path, a signature. */
export function describeRequest(request: IngressRequest): Record<string, unknown> {
  return {
    status: request.status,
    source: request.source?.name,
    webhook_id: request.webhookId,
    event: request.eventId && formatId("evt", request.eventId),
    bytes: request.sizeBytes,
    code: request.code,
    reason: request.refusal?.reason,
    remote_address: request.remoteAddress,
    duration_ms: Math.round((performance.now() - request.startedAt) * 100) / 100,
  };
}
