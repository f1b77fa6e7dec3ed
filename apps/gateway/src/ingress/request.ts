// One webhook request as the log, the metrics and the log of rejections see it. The ingress fills the record in, step by
// step, while it handles the request.

import { formatId } from "@sluice/shared/domain/ids";
import type { TraceContext } from "@sluice/shared/domain/trace-context";
import type { ErrorCode } from "@sluice/shared/runtime/errors";
import type { Refusal } from "@sluice/signature/refusal";
import type { Source } from "@sluice/store/configuration/sources";

export interface IngressRequest {
  /** The value of `performance.now()` when the request arrived. */
  startedAt: number;
  /** The name in the path. There may be no source with this name. */
  sourceName: string;
  source?: Source | undefined;
  remoteAddress: string | undefined;
  /** The id in the header, until the request is verified. Then the verified id. */
  webhookId: string | undefined;
  /** The size of the body. If the gateway did not read the body, the size that the sender announced. */
  sizeBytes: number | undefined;
  /** How long the sender took for the body, in milliseconds. That is no delay of the relay. */
  bodyMs: number;
  /** The HTTP status of the answer. */
  status: number;
  code?: ErrorCode;
  refusal?: Refusal;
  /** A UUID. */
  eventId?: string;
  /** The trace of the sender, where events are traced. */
  caller?: TraceContext | undefined;
}

/** The log line of a request. It has nothing that could be a secret, such as a token in the path or a signature. */
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
