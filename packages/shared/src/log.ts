// Logging: pino, object first, one wide line per request and per attempt. Bodies, secrets and signatures are
// never handed to it; the redaction below is the net under that rule, not the rule.

import pino, { type Logger } from "pino";

export type { Logger } from "pino";

/** A JSON logger on stdout. `app` is on every line. */
export function openLog(app: "gateway" | "worker", level: string): Logger {
  return pino({
    level,
    base: { app },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: ["*.authorization", "*.secret", "*.signature", "*.body", "authorization", "secret", "signature", "body"],
      censor: "[redacted]",
    },
  });
}
