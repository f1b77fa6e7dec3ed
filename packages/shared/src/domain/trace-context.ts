// The trace that a request belongs to, as `traceparent` and `tracestate` carry it: https://www.w3.org/TR/trace-context/.
// Pure, so that the context of a caller reaches targets also where nothing is traced.

export interface TraceContext {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits: the span that made the request. */
  spanId: string;
  isSampled: boolean;
  /** `tracestate`, as it came. */
  state: string | null;
}

/** Section 3.2.2. A version that is not known yet may have more behind the flags. */
const TRACEPARENT =
  /^(?<version>[0-9a-f]{2})-(?<traceId>[0-9a-f]{32})-(?<spanId>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<more>-.*)?$/;
const NO_VERSION = "ff";
const NO_ID = /^0+$/;
/** Section 3.3.1.5: so much is to be passed on at least. Visible ASCII and spaces, so that it is always a header. */
const TRACESTATE = /^[\x21-\x7e](?:[\x20-\x7e\t]{0,510}[\x21-\x7e])?$/;

/**
 * Reads the headers of a request.
 * @returns undefined when there is no valid `traceparent`: the caller then has no trace (section 4.2). A `tracestate` that
 * is not valid is dropped by itself.
 */
export function readTraceContext(traceparent: string | undefined, tracestate?: string): TraceContext | undefined {
  const {
    version,
    traceId = "",
    spanId = "",
    flags = "",
    more,
  } = TRACEPARENT.exec(traceparent?.trim() ?? "")?.groups ?? {};
  if (version === undefined || version === NO_VERSION || (version === "00" && more !== undefined)) return undefined;
  if (NO_ID.test(traceId) || NO_ID.test(spanId)) return undefined;
  const state = tracestate?.trim() ?? "";
  const isSampled = (Number.parseInt(flags, 16) & 1) === 1;
  return { traceId, spanId, isSampled, state: TRACESTATE.test(state) ? state : null };
}

export function toTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

/** Both headers in one text, for a row. A `traceparent` has no space. */
export function packTraceContext(context: TraceContext): string {
  return context.state === null ? toTraceparent(context) : `${toTraceparent(context)} ${context.state}`;
}

/** Reads what {@link packTraceContext} wrote. */
export function unpackTraceContext(text: string): TraceContext | undefined {
  const end = text.indexOf(" ");
  return end === -1 ? readTraceContext(text) : readTraceContext(text.slice(0, end), text.slice(end + 1));
}
