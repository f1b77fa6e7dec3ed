// Logging: pino, object first, one wide line per request and per attempt. Bodies, secrets and signatures are
// never handed to it; the redaction below is the net under that rule, not the rule.

import pino, { type DestinationStream, type Logger, type LoggerOptions } from "pino";

export type { Logger } from "pino";

/**
 * A JSON logger on stdout. `app` is on every line. A level that does not exist is "info" here: the
 * configuration reports it, together with its other faults, through this logger.
 */
export function openLog(
  app: "gateway" | "worker",
  level: string | undefined,
  destination: DestinationStream = pino.destination(1),
): Logger {
  const options: LoggerOptions = {
    level: level !== undefined && (level === "silent" || level in pino.levels.values) ? level : "info",
    base: { app },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError },
    redact: { paths: ["authorization", "secret", "signature", "body"], censor: "[redacted]" },
  };
  return pino(options, destination);
}

/**
 * What is logged of an error: a chosen few members. PostgreSQL puts rows into `detail`, and Drizzle parameters
 * into its message, which also stands in its stack, so neither is copied.
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
