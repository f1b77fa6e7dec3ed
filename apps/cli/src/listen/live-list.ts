// What `sluice listen` shows in a terminal, as a state that keys and deliveries change, and as the lines of a picture of it. Pure:
// terminal.ts draws the lines.

import { breakText, shorten, visibleText } from "../output/text.ts";
import { bodyLines } from "./body-lines.ts";

export interface LiveRow {
  deliveryId: string;
  eventId: string;
  type: string;
  attempt: number;
  /** As text for the row, such as "14:02:11". */
  time: string;
  state: "sending" | "succeeded" | "failed" | "held";
  /** The status or the error, and the time it took. */
  result: string;
  /** In base64, or the beginning of it. */
  body: string;
}

export interface LiveState {
  /** Where events go, for the head. */
  title: string;
  connection: string;
  isConnected: boolean;
  rows: readonly LiveRow[];
  /** The delivery that the keys act on; undefined follows the newest. */
  selectedId: string | undefined;
  /** The body of the selected delivery, shown from this line; undefined while the list is shown. */
  open: { lines: readonly string[]; from: number } | undefined;
  /** What the last key did. */
  message: string;
}

export type LiveKey = "up" | "down" | "pageUp" | "pageDown" | "home" | "end" | "enter" | "escape";

const MAX_ROWS = 500;
/** Head, empty line, message and keys. */
const FRAME_LINES = 4;
/** The mark, the time, the id of the event, and what is between the columns. */
const ROW_COLUMNS = 2 + 8 + 30 + 3 * 2;
const MIN_TYPE_WIDTH = 16;
const MAX_RESULT_WIDTH = 24;

export const newLiveState = (title: string): LiveState => ({
  title,
  connection: "connecting …",
  isConnected: false,
  rows: [],
  selectedId: undefined,
  open: undefined,
  message: "",
});

/** Adds a row, or replaces the one of the same delivery. A row never moves, so that a person can hit it. */
export function withRow(state: LiveState, row: LiveRow): LiveState {
  const at = state.rows.findIndex(({ deliveryId }) => deliveryId === row.deliveryId);
  const rows = at === -1 ? [...state.rows, row].slice(-MAX_ROWS) : state.rows.with(at, row);
  return { ...state, rows };
}

export const selectedRow = ({ rows, selectedId }: LiveState): LiveRow | undefined =>
  rows.find(({ deliveryId }) => deliveryId === selectedId) ?? rows.at(-1);

/** @param size of the terminal, by which a page is measured, and the lines of a body are broken. */
export function withKey(
  state: LiveState,
  key: LiveKey,
  { width, height }: { width: number; height: number },
): LiveState {
  const page = Math.max(1, height - FRAME_LINES - 1);
  const { open } = state;
  const selected = selectedRow(state);
  if (key === "escape") return { ...state, open: undefined };
  if (key === "enter") {
    if (open !== undefined || selected === undefined) return { ...state, open: undefined };
    // The body stays in sight while others come.
    return { ...state, selectedId: selected.deliveryId, open: { lines: brokenBody(selected, width), from: 0 } };
  }
  const steps = { up: -1, down: 1, pageUp: -page, pageDown: page, home: -Infinity, end: Infinity }[key];
  if (open !== undefined) {
    return { ...state, open: { ...open, from: clamp(open.from + steps, Math.max(0, open.lines.length - page)) } };
  }
  const current = state.rows.findIndex((row) => row === selected);
  const at = clamp(current + steps, state.rows.length - 1);
  // At the end the selection follows what comes.
  const selectedId = at === state.rows.length - 1 ? undefined : state.rows[at]?.deliveryId;
  return { ...state, selectedId };
}

const brokenBody = ({ body }: LiveRow, width: number) =>
  bodyLines(body).flatMap((line) => breakText(visibleText(line), width));

const clamp = (value: number, last: number) => Math.max(0, Math.min(value, last));

export interface Line {
  text: string;
  style: "head" | "plain" | "selected" | "good" | "bad" | "faint";
}

/** The picture: at most `height` lines of at most `width` columns. */
export function drawLive(state: LiveState, width: number, height: number): Line[] {
  const room = Math.max(1, height - FRAME_LINES);
  const content = state.open === undefined ? drawRows(state, width, room) : drawBody(state, state.open, room);
  const keys = state.open
    ? "↑↓ scroll   esc back   r resend   o open   q quit"
    : "↑↓ move   enter body   r resend   o open   c clear   q quit";
  const lines: Line[] = [
    { text: state.title, style: "head" },
    { text: state.connection, style: state.isConnected ? "good" : "bad" },
    ...content,
    ...Array.from({ length: Math.max(0, room - content.length) }, () => ({ text: "", style: "plain" as const })),
    { text: state.message, style: "plain" },
    { text: keys, style: "faint" },
  ];
  return lines.map(({ text, style }) => ({ text: shorten(visibleText(text), width), style }));
}

const shownResult = ({ result, attempt }: LiveRow) => visibleText(result + (attempt > 1 ? ` #${attempt}` : ""));

function drawRows(state: LiveState, width: number, room: number): Line[] {
  if (state.rows.length === 0)
    return [{ text: "Waiting for events. `sluice trigger batch.succeeded` sends one.", style: "faint" }];
  const selected = selectedRow(state);
  const at = state.rows.findIndex((row) => row === selected);
  const from = Math.max(0, Math.min(state.rows.length - room, at - Math.floor(room / 2)));
  const shown = state.rows.slice(from, from + room);
  const resultWidth = Math.min(MAX_RESULT_WIDTH, Math.max(...shown.map((row) => shownResult(row).length)));
  const longestType = Math.max(...shown.map(({ type }) => type.length));
  // The id stays whole where it can, because somebody copies it.
  const typeWidth = Math.min(longestType, Math.max(MIN_TYPE_WIDTH, width - ROW_COLUMNS - resultWidth));
  return shown.map((row) => {
    const [type, result] = [shorten(visibleText(row.type), typeWidth), shorten(shownResult(row), resultWidth)];
    const text = `${row.time}  ${type.padEnd(typeWidth)}  ${result.padEnd(resultWidth)}  ${row.eventId}`;
    const style =
      row === selected
        ? "selected"
        : row.state === "failed" || row.state === "held"
          ? "bad"
          : row.state === "sending"
            ? "faint"
            : "plain";
    return { text: (row === selected ? "› " : "  ") + text, style };
  });
}

function drawBody(state: LiveState, { lines, from }: NonNullable<LiveState["open"]>, room: number): Line[] {
  const row = selectedRow(state);
  const head: Line = {
    text: row ? `${row.type}  ${row.eventId}  ${row.deliveryId}  ${row.result}` : "",
    style: "head",
  };
  return [head, ...lines.slice(from, from + room - 1).map((text): Line => ({ text, style: "plain" }))];
}
