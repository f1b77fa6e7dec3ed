// The errors of connections to a store, which come back each second for as long as it is away: a line for each
// that is new, and for the same one a line each minute.

import type { Logger } from "@sluice/shared/runtime/log";

const REPEAT_MS = 60_000;

export function connectionLog(log: Logger, fields: object, message: string): (error: Error) => void {
  let last: { text: string; atMs: number } | undefined;
  return (error) => {
    const atMs = performance.now();
    if (last?.text === error.message && atMs - last.atMs < REPEAT_MS) return;
    last = { text: error.message, atMs };
    log.warn({ ...fields, err: error }, message);
  };
}
