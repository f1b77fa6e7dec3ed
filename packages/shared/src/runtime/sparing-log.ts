// A log for errors that repeat while a store is away. The first line is written at once, and then one line a minute
// with the number of repeats. So an outage of hours costs 60 lines an hour, although some code asks the store twice a
// second.

import type { Logger } from "./log.ts";

const EVERY_MS = 60_000;

type LogLine = (fields: { err: unknown } & Record<string, unknown>, message: string) => void;

export interface SparingLog {
  warn: LogLine;
  error: LogLine;
}

// There is one for each logger and not for each caller, so that many short-lived callers with one message share a line.
const sparingLogs = new WeakMap<Logger, SparingLog>();

/** The sparing log of a logger. Lines repeat each other when they have the same level, message and error code. */
export function sparing(log: Logger): SparingLog {
  const known = sparingLogs.get(log);
  if (known !== undefined) return known;
  const made = limitRepeats(log);
  sparingLogs.set(log, made);
  return made;
}

/** @param nowMs a clock that only goes forward. */
export function limitRepeats(log: Logger, nowMs = () => performance.now()): SparingLog {
  // The map stays small: its keys are messages of the code and error codes of the system.
  const lines = new Map<string, { loggedAtMs: number; repeats: number }>();
  const limited =
    (level: "warn" | "error"): LogLine =>
    (fields, message) => {
      const key = `${level} ${message} ${codeOf(fields.err)}`;
      const line = lines.get(key);
      if (line !== undefined && nowMs() - line.loggedAtMs < EVERY_MS) {
        line.repeats += 1;
        return;
      }
      log[level](line === undefined || line.repeats === 0 ? fields : { ...fields, repeats: line.repeats }, message);
      lines.set(key, { loggedAtMs: nowMs(), repeats: 0 });
    };
  return { warn: limited("warn"), error: limited("error") };
}

/** The first code on the way from an error to its cause; empty when there is none. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  return "code" in error && typeof error.code === "string" ? error.code : codeOf(error.cause);
}
