// What `sluice listen` says of each delivery: a live list in a terminal, lines of JSON elsewhere.

import type { ReadStream, WriteStream } from "node:tty";

import { isSuccess } from "@sluice/attempt/attempt-result";
import { errorText } from "@sluice/shared/runtime/error-text";

import { type CliContext, note, printJson } from "../cli-context.ts";
import { painterFor } from "../output/style.ts";
import { drawLive, type LiveKey, type LiveRow, newLiveState, selectedRow, withKey, withRow } from "./live-list.ts";
import type { PullLoopEvent } from "./pull-loop.ts";
import { type ForwardResult, type PulledDelivery } from "./pulled-delivery.ts";
import { Terminal } from "./terminal.ts";

export interface ListenOutput {
  began: (delivery: PulledDelivery) => void;
  /** @param isHeld whether the relay does not try it again by itself. */
  ended: (delivery: PulledDelivery, result: ForwardResult, isHeld: boolean) => void;
  noted: (event: PullLoopEvent) => void;
  close: () => void;
}

/** @param withBody whether each line has the body, in base64. */
export function linesOutput(context: CliContext, title: string, withBody: boolean): ListenOutput {
  note(context, title);
  let said = { text: "", isWell: false };
  return {
    began: () => undefined,
    ended: (delivery, { startedAt, durationMs, statusCode, error }) =>
      printJson(context, {
        at: startedAt,
        event: delivery.event_id,
        delivery: delivery.delivery_id,
        type: delivery.event_type,
        attempt: delivery.attempt,
        status_code: statusCode,
        error,
        duration_ms: Math.round(durationMs * 100) / 100,
        ...(withBody && { headers: delivery.headers, body: delivery.body }),
      }),
    noted: (event) => {
      const connection = connectionOf(event);
      // What waits changes all the time while events come.
      const isKnown = connection.text === said.text || (connection.isWell && said.isWell);
      if (event.kind === "connected" && isKnown) return;
      said = connection;
      note(context, connection.text);
    },
    close: () => undefined,
  };
}

/** In characters of base64: the list holds the bodies of all its rows. */
const MAX_SHOWN_BODY = 128 * 1024;

/** How the connection to the relay is. It is well while events can come. */
function connectionOf(event: PullLoopEvent): { text: string; isWell: boolean } {
  if (event.kind === "lost") return { text: `The relay is away; trying again: ${event.reason}`, isWell: false };
  const isWell = event.state === "enabled";
  const waiting = event.waiting === 0 ? "nothing waits" : `${event.waiting} wait`;
  return { text: `${isWell ? "Connected" : `The target is ${event.state}`}; ${waiting}`, isWell };
}

const KEYS: Readonly<Record<string, LiveKey>> = {
  up: "up",
  k: "up",
  down: "down",
  j: "down",
  pageup: "pageUp",
  pagedown: "pageDown",
  home: "home",
  end: "end",
  return: "enter",
  space: "enter",
  escape: "escape",
};

export interface ScreenOptions {
  title: string;
  stdin: ReadStream;
  stdout: WriteStream;
  /** Whether colours are wanted. */
  preferences: Pick<CliContext, "env" | "color">;
  onQuit: () => void;
  /** Makes a delivery due again. */
  resend: (deliveryId: string) => Promise<void>;
  /** Opens an id in the console. @returns what to say. */
  openInConsole: (id: string) => Promise<string>;
}

export function screenOutput({
  title,
  stdin,
  stdout,
  preferences,
  onQuit,
  resend,
  openInConsole,
}: ScreenOptions): ListenOutput {
  let state = newLiveState(title);
  const change = (next: typeof state) => {
    state = next;
    terminal.draw();
  };
  const say = (message: string) => change({ ...state, message });
  const doToSelected = (doing: string, act: (row: LiveRow) => Promise<string>) => {
    const row = selectedRow(state);
    if (row === undefined) return;
    say(doing);
    act(row).then(say, (error: unknown) => say(errorText(error)));
  };
  const terminal = new Terminal({
    stdin,
    stdout,
    paint: painterFor(stdout, preferences),
    draw: (width, height) => drawLive(state, width, height),
    onKey: (name) => {
      const key = KEYS[name];
      if (key !== undefined) return change(withKey({ ...state, message: "" }, key, terminal.size));
      if (name === "q" || name === "ctrl+c") return onQuit();
      if (name === "r")
        return doToSelected("Resending …", async ({ deliveryId }) => {
          await resend(deliveryId);
          return `${deliveryId} is due again`;
        });
      if (name === "o") return doToSelected("Opening …", ({ eventId }) => openInConsole(eventId));
      if (name === "c")
        change({ ...newLiveState(title), connection: state.connection, isConnected: state.isConnected });
    },
  });
  terminal.open();
  return {
    began: (delivery) => change(withRow(state, rowOf(delivery, new Date(), "sending", "…"))),
    ended: (delivery, result, isHeld) => {
      const outcome = isSuccess(result) ? "succeeded" : isHeld ? "held" : "failed";
      const text = `${result.error ?? result.statusCode}  ${Math.round(result.durationMs)} ms${isHeld ? "  held" : ""}`;
      change(withRow(state, rowOf(delivery, new Date(result.startedAt), outcome, text)));
    },
    noted: (event) => {
      const { text: connection, isWell: isConnected } = connectionOf(event);
      change({ ...state, connection, isConnected });
    },
    close: () => terminal.close(),
  };
}

function rowOf(delivery: PulledDelivery, at: Date, state: LiveRow["state"], result: string): LiveRow {
  return {
    deliveryId: delivery.delivery_id,
    eventId: delivery.event_id,
    type: delivery.event_type ?? "(no type)",
    attempt: delivery.attempt,
    time: at.toTimeString().slice(0, 8),
    state,
    result,
    body: delivery.body.slice(0, MAX_SHOWN_BODY),
  };
}
