// Logging with pino: the object comes first, and a request or an attempt is one wide line. Code never passes a body, a
// secret or a signature to the log; the redaction below only catches mistakes.

import pino, { type DestinationStream, type Logger, type LoggerOptions } from "pino";

import type { RecentLog } from "./recent-log.ts";

export type { Logger } from "pino";

/**
 * Opens a JSON logger on stdout. Every line has `app`. An unknown level counts as "info" here, because the
 * configuration reports it through this logger, together with its other faults.
 * @param recent keeps the latest warnings and errors.
 */
export function openLog(
  app: "gateway" | "worker",
  level: string | undefined,
  destination: DestinationStream = pino.destination(1),
  recent?: RecentLog,
): Logger {
  const options: LoggerOptions = {
    level: level !== undefined && (level === "silent" || level in pino.levels.values) ? level : "info",
    base: { app },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError },
    ...(recent !== undefined && { hooks: { streamWrite: (line) => recent.note(line) } }),
    redact: { paths: ["authorization", "secret", "signature", "body"], censor: "[redacted]" },
  };
  return pino(options, destination);
}

/**
 * Chooses the members of an error that are logged. `detail` is not one of them, because PostgreSQL puts rows into it.
 * The message of a Drizzle error is replaced, also in its stack, because it holds the parameters of the query.
 */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const isQueryError = "query" in error && "params" in error;
  const message = isQueryError ? "query failed" : error.message;
  return {
    type: error.name,
    message,
    ...("code" in error && { code: error.code }),
    stack: error.stack?.replace(error.message, () => message),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
