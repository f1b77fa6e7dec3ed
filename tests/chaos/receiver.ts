// The ways in which a receiver can answer, and the log of the requests that it received.

import { existsSync, readFileSync } from "node:fs";

/** `ok` and `huge` accept the event, and `huge` answers with 32 MiB. Every other mode refuses the event in its way. */
export const MODES = ["ok", "hang", "reset", "trickle", "429", "503", "410", "302", "huge"] as const;
export type Mode = (typeof MODES)[number];

export const TAKEN_PATH = "/hook";

/** The addresses that a receiver may listen on: 0 is 127.0.0.1. Only Linux has all of them. */
export function loopbackAddress(index: number): string {
  return `127.0.${Math.floor(index / 250)}.${1 + (index % 250)}`;
}

/** One request; one line in the log of the receiver. */
export interface Reception {
  atMs: number;
  webhookId: string;
  deliveryId: string;
  attempt: number;
  sha256: string;
  /** The verdict of the library `standardwebhooks`. */
  isSigned: boolean;
  mode: Mode | "followed";
  /** True when the receiver answered with a 2xx, or was killed before it could. */
  isTaken: boolean;
}

/** Reads the requests in the order of their arrival. A kill may cut the last line off, which is then left out. */
export function readReceptions(logPath: string): Reception[] {
  if (!existsSync(logPath)) return [];
  const lines = readFileSync(logPath, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Reception);
}
