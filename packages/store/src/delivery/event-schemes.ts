// By which proof an event came into the log: a signature scheme of Gemini, or none for the events that the relay makes.

import { SCHEMES_OF } from "@sluice/signature/schemes";

/** The scheme of an event that was injected by `POST /v1/events`. */
export const INJECTED_SCHEME = "api";
/** The scheme of an event that the relay makes because a job ended and its webhook did not come. */
export const RECONCILED_SCHEME = "reconciled";
/** The scheme of the relay's own events: tests of targets, and operational events. Nobody signed them. */
export const RELAY_SCHEME = "none";

export const EVENT_SCHEMES = [
  ...SCHEMES_OF.static,
  ...SCHEMES_OF.dynamic,
  INJECTED_SCHEME,
  RECONCILED_SCHEME,
  RELAY_SCHEME,
] as const;

export type EventScheme = (typeof EVENT_SCHEMES)[number];
