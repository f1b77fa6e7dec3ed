// Logs the errors of a connection to a store. The same error comes back each second while a store is away, so a new
// error gets a line at once and a repeated one a line a minute. Errors are told apart by their message: Redis gives no
// code.

import type { Logger } from "@sluice/shared/runtime/log";

const REPEAT_MS = 60_000;

/** @returns a listener for the `error` event. */
export function connectionLog(log: Logger, fields: object, message: string): (error: Error) => void {
  let last: { text: string; atMs: number } | undefined;
  return (error) => {
    const atMs = performance.now();
    if (last?.text === error.message && atMs - last.atMs < REPEAT_MS) return;
    last = { text: error.message, atMs };
    log.warn({ ...fields, err: error }, message);
  };
}
