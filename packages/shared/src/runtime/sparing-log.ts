// Lines that repeat for as long as something is away: the first at once, then one a minute that says how many there
// were. A store that is away for hours costs the log some lines an hour, whatever asks it twice a second.

import type { Logger } from "./log.ts";

const EVERY_MS = 60_000;

type Line = (fields: { err: unknown } & Record<string, unknown>, message: string) => void;

export interface SparingLog {
  warn: Line;
  error: Line;
}

// Of a logger and not of a caller, so that many short-lived callers with one message count as one.
const ofLogger = new WeakMap<Logger, SparingLog>();

/** A log whose lines are few: those with the same message and the same code of their error are one a minute. */
export function sparing(log: Logger): SparingLog {
  const known = ofLogger.get(log);
  if (known !== undefined) return known;
  const made = limitRepeats(log);
  ofLogger.set(log, made);
  return made;
}

/** @param nowMs a clock that only goes forward. */
export function limitRepeats(log: Logger, nowMs = () => performance.now()): SparingLog {
  // As many entries as there are messages in the code and codes of the system.
  const lines = new Map<string, { loggedAtMs: number; repeats: number }>();
  const limited =
    (level: "warn" | "error"): Line =>
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

/** Of the first error that has one, on the way to the cause. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  return "code" in error && typeof error.code === "string" ? error.code : codeOf(error.cause);
}
