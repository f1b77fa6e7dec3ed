// The exit codes of `sluice`: a script branches on them and not on texts.

import { SluiceError } from "@sluice/shared/runtime/errors";
import { CommanderError } from "commander";

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notAllowed: 4,
  notFoundOrConflict: 5,
  unavailable: 6,
  /** As shells have it after Ctrl-C. */
  interrupted: 130,
} as const;

type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** By these a connection says that nobody is there, or that nobody answers. */
const AWAY = new Set(["ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "EHOSTUNREACH", "EPIPE"]);
/** Classes of SQLSTATE: no connection, no resources, and stopped by an operator. */
const AWAY_CLASSES = new Set(["08", "53", "57"]);

/** Whether a command ended because Ctrl-C ended what it waited for. */
export const isInterruption = (error: unknown) => error instanceof Error && error.name === "AbortError";

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof SluiceError) return exitCodeOfStatus(error);
  if (isInterruption(error)) return EXIT.interrupted;
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = first instanceof Error && "code" in first ? String(first.code) : "";
  return AWAY.has(code) || (code.length === 5 && AWAY_CLASSES.has(code.slice(0, 2))) ? EXIT.unavailable : EXIT.failed;
}

function exitCodeOfStatus({ code, status }: SluiceError): ExitCode {
  // What a person gave is wrong, in the environment or on the command line.
  if (code === "invalid_configuration" || code === "invalid_secret") return EXIT.usage;
  // `sluice verify` found that the relay refuses a webhook.
  if (code === "verification_failed") return EXIT.failed;
  if (status === 401 || status === 403) return EXIT.notAllowed;
  if (status === 404 || status === 409 || status === 412) return EXIT.notFoundOrConflict;
  if (status === 503) return EXIT.unavailable;
  return status < 500 ? EXIT.usage : EXIT.failed;
}
