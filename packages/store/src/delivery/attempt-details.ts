// What an attempt says beyond its result, as one short text in its row. The text leaves out what the row and its delivery
// say already, because every event pays for each of its bytes. Pure.

import { formatId } from "@sluice/shared/domain/ids";
import { readTraceContext, toTraceparent, type TraceContext } from "@sluice/shared/domain/trace-context";

/** The values of headers by their names in lower case. */
export type ShownHeaders = Record<string, string>;

/** The part of a request and its response that the log keeps, without anything secret. */
export interface AttemptDetails {
  url: string;
  /** Whether the request was a signed webhook; a chat target got a message instead. */
  isWebhook: boolean;
  /** The address and the port that the connection had; null without a connection. */
  address: string | null;
  /** From the start of the attempt, in milliseconds; null when it did not come so far. */
  connectMs: number | null;
  firstByteMs: number | null;
  /** The trace context that the target got. */
  trace: TraceContext | null;
  /** The headers of the request that do not follow from the attempt and its delivery. They win over those that do. */
  requestHeaders: ShownHeaders;
  /** Null without a response. */
  responseHeaders: ShownHeaders | null;
}

/** What is known of an attempt from its row and its delivery. The latter can be past its retention. */
export interface AttemptFacts {
  details: string | null;
  deliveryId: string;
  number: number;
  startedAt: Date;
  eventId: string | null;
  webhookId: string | null;
}

/**
 * Like an exchange of HTTP/1.1: a line with the URL, a line with address and times, the headers of the request, an empty
 * line, and the headers of the response. As JSON it would take 3 µs of each attempt instead of 1 µs, and be a fourth longer.
 * No value may have a line break.
 */
export function packDetails(details: AttemptDetails): string {
  const { url, isWebhook, address, connectMs, firstByteMs, trace, requestHeaders, responseHeaders } = details;
  const line = `${address ?? ""} ${toHundredths(connectMs)} ${toHundredths(firstByteMs)}${isWebhook ? "" : NO_WEBHOOK}`;
  const text = `${url}\n${line}\n${toLines(requestHeaders)}${traceLines(trace)}`;
  return responseHeaders === null ? text : `${text}\n${toLines(responseHeaders)}`;
}

/** @returns undefined for an attempt of a version that wrote none. */
export function unpackDetails(attempt: AttemptFacts): AttemptDetails | undefined {
  if (attempt.details === null) return undefined;
  const [request, response] = split(attempt.details, "\n\n");
  const [url = "", line = "", ...headers] = request.split("\n");
  const isWebhook = !line.endsWith(NO_WEBHOOK);
  const [address = "", connectMs = "", firstByteMs = ""] = line.split(" ");
  const own = fromLines(headers);
  return {
    url,
    isWebhook,
    address: address === "" ? null : address,
    connectMs: connectMs === "" ? null : Number(connectMs),
    firstByteMs: firstByteMs === "" ? null : Number(firstByteMs),
    trace: readTraceContext(own["traceparent"], own["tracestate"]) ?? null,
    requestHeaders: { ...COMMON_HEADERS, ...(isWebhook && webhookHeaders(attempt)), ...own },
    responseHeaders: response === undefined ? null : fromLines(response.split("\n")),
  };
}

/** Ends the line with the address. */
const NO_WEBHOOK = " -";
const COMMON_HEADERS: ShownHeaders = { "user-agent": "sluice", "content-type": "application/json" };

/**
 * SQL: the text without the headers of the response, which can hold something of what the target got, and without the
 * `tracestate` of the sender, which can hold anything.
 */
export const withoutContent = (details: string) =>
  `regexp_replace(split_part(${details}, E'\\n\\n', 1), E'\\ntracestate: [^\\n]*', '')`;

/** More digits would cost more than they say. */
const toHundredths = (ms: number | null) => (ms === null ? "" : Math.round(ms * 100) / 100);

function traceLines(trace: TraceContext | null): string {
  if (trace === null) return "";
  const line = `traceparent: ${toTraceparent(trace)}\n`;
  return trace.state === null ? line : `${line}tracestate: ${trace.state}\n`;
}

function toLines(headers: ShownHeaders): string {
  let lines = "";
  for (const name in headers) lines += `${name}: ${headers[name]}\n`;
  return lines;
}

function fromLines(lines: string[]): ShownHeaders {
  return Object.fromEntries(lines.filter((line) => line !== "").map((line) => split(line, ": ")));
}

/** The text before and after the first separator. */
function split(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** The headers that every webhook has, except its signature. */
function webhookHeaders({ deliveryId, number, startedAt, eventId, webhookId }: AttemptFacts): ShownHeaders {
  return {
    ...(webhookId !== null && { "webhook-id": webhookId }),
    "webhook-timestamp": String(Math.floor(startedAt.getTime() / 1000)),
    ...(eventId !== null && { "sluice-event-id": formatId("evt", eventId) }),
    "sluice-delivery-id": formatId("dlv", deliveryId),
    "sluice-attempt": String(number),
  };
}
