// A line of the live list: what of a message of the tail is shown and filtered. Pure.

import type { TailEntry } from "@sluice/client/tail";

import { allOf, type SearchParams } from "../data/search-params.ts";

type LiveKind = "event" | "attempt" | "delivery";

export interface TailRow {
  /** The same message has the same key, also when the tail sends it a second time. */
  key: string;
  kind: LiveKind;
  at: string;
  /** The page of the event or the delivery. */
  to: string;
  /** What happened, as a state that has a colour. */
  what: string;
  type: string | null;
  source: string | null;
  target: string | null;
  statusCode: number | null;
  error: string | null;
  durationMs: number | null;
}

export function readTailRow(entry: TailEntry): TailRow {
  switch (entry.event) {
    case "event": {
      const { id, received_at, type, source } = entry.data;
      return {
        ...NOTHING,
        key: id,
        kind: "event",
        at: received_at,
        to: `/events/${id}`,
        what: "received",
        type,
        source,
      };
    }
    case "attempt": {
      const {
        id,
        delivery,
        started_at,
        duration_ms,
        status_code,
        error,
        event_type: type,
        source,
        target,
      } = entry.data;
      const isGood = status_code !== null && status_code >= 200 && status_code < 300 && error === null;
      return {
        key: id,
        kind: "attempt",
        at: new Date(Date.parse(started_at) + duration_ms).toISOString(),
        to: `/deliveries/${delivery}`,
        what: isGood ? "attempt succeeded" : "attempt failed",
        type,
        source,
        target,
        statusCode: status_code,
        error,
        durationMs: duration_ms,
      };
    }
    case "delivery": {
      const { change, at, delivery } = entry.data;
      const { id, event_type: type, source, target, last_error: error } = delivery;
      const to = `/deliveries/${id}`;
      const isBad = change === "exhausted";
      const what = change === "created" ? "waiting" : change;
      return {
        ...NOTHING,
        key: `${id} ${change} ${at}`,
        kind: "delivery",
        at,
        to,
        what,
        type,
        source,
        target,
        error: isBad ? error : null,
      };
    }
  }
}

const NOTHING = { target: null, statusCode: null, error: null, durationMs: null };

/** The filters that only the relay can judge: a row does not have what they compare. */
const RELAY_FILTERS = ["label", "user_metadata", "data_id", "webhook_id", "event", "error", "min_attempts"];

/** The part of the filters that goes to `/v1/tail`. Tabs that have the same one share a stream. */
export const relayPart = (search: SearchParams): SearchParams =>
  Object.fromEntries(Object.entries(search).filter(([name]) => RELAY_FILTERS.includes(name)));

/**
 * Whether a row passes the filters of the address, as `/v1/tail` would judge. The relay has judged RELAY_FILTERS. A row that lacks a filtered property does not
 * pass: an event has no target.
 */
export function passesFilters(row: TailRow, search: SearchParams): boolean {
  return Object.entries(PASSES).every(([name, passes]) => {
    const wanted = allOf(search[name]);
    return wanted.length === 0 || wanted.some((one) => passes(row, one));
  });
}

const PASSES: Record<string, (row: TailRow, wanted: string) => boolean> = {
  kind: ({ kind }, wanted) => kind === wanted,
  event_type: ({ type }, wanted) =>
    type !== null && (wanted.endsWith(".*") ? type.startsWith(wanted.slice(0, -1)) : type === wanted),
  source: ({ source }, wanted) => source === wanted,
  target: ({ target }, wanted) => target === wanted,
  outcome: ({ what }, wanted) => (wanted === "bad") === ["exhausted", "attempt failed"].includes(what),
  status_code: ({ kind, statusCode }, wanted) => {
    if (statusCode === null) return wanted === "none" && kind === "attempt";
    return /^[1-5]xx$/.test(wanted) ? String(statusCode).startsWith(wanted.slice(0, 1)) : String(statusCode) === wanted;
  },
};
