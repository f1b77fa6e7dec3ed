// Colours, for those who want them.

import type { Writable } from "node:stream";
import { stripVTControlCharacters, styleText } from "node:util";

import { type CliContext, terminalOf } from "../cli-context.ts";

export type Style = Parameters<typeof styleText>[0];

/** Makes the texts for one stream: coloured, or as they are. */
export type Painter = (style: Style | undefined, text: string) => string;

type Preferences = Pick<CliContext, "env" | "color">;

/** `--color` decides; without it, terminals get colours unless NO_COLOR has a value (https://no-color.org). */
export function painterFor(stream: Writable, { env, color = "auto" }: Preferences): Painter {
  const isPlain = (env["NO_COLOR"] ?? "") !== "" || terminalOf(stream) === undefined;
  if (color === "never" || (color === "auto" && isPlain)) return (_style, text) => text;
  // The decision is made here, because the environment of a context need not be that of the process.
  return (style, text) => (style === undefined ? text : styleText(style, text, { validateStream: false }));
}

/** Writes text to a stream, in colour where that is wanted. */
export function writeStyled(stream: Writable, preferences: Preferences, style: Style, text: string): void {
  stream.write(painterFor(stream, preferences)(style, stripVTControlCharacters(text)));
}

/** The states of all resources that are not as they should be, or are as they should be. Others have no colour. */
const STATE_STYLES: Record<string, Style> = {
  succeeded: "green",
  enabled: "green",
  active: "green",
  seen: "green",
  closed: "green",
  reconciled: "green",
  created: "green",
  pending: "yellow",
  running: "yellow",
  paused: "yellow",
  waiting: "yellow",
  half_open: "yellow",
  expired: "yellow",
  overdue: "red",
  exhausted: "red",
  failed: "red",
  disabled: "red",
  disabled_due_to_failed_deliveries: "red",
  open: "red",
  cancelled: "dim",
  revoked: "dim",
};

/** The colour of a state, such as `exhausted`. */
export function styleOfState(state: string): Style | undefined {
  return STATE_STYLES[state];
}

/** The colour of an HTTP status. */
export function styleOfStatusCode(code: unknown): Style | undefined {
  if (typeof code !== "number") return undefined;
  return code >= 200 && code < 300 ? "green" : "red";
}
