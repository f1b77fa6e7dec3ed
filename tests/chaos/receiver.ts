// The receivers as the harness holds them: how one answers, and what its log says that it received.

import { existsSync, readFileSync } from "node:fs";

/** `huge` takes the event and answers with 32 MiB; all others but `ok` refuse it in their way. */
export const MODES = ["ok", "hang", "reset", "trickle", "429", "503", "410", "302", "huge"] as const;
export type Mode = (typeof MODES)[number];

export const TAKEN_PATH = "/hook";

/** A request as the receiver's log has it, one a line. */
export interface Reception {
  atMs: number;
  webhookId: string;
  deliveryId: string;
  attempt: number;
  sha256: string;
  /** As the `standardwebhooks` library says. */
  isSigned: boolean;
  mode: Mode | "followed";
  /** Whether the receiver answered with a 2xx, or would have, had it not been killed. */
  isTaken: boolean;
}

/** In the order of their arrival. A last line that was cut off by a kill is left out. */
export function readReceptions(logPath: string): Reception[] {
  if (!existsSync(logPath)) return [];
  const lines = readFileSync(logPath, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Reception);
}
