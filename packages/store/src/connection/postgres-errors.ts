// Classifies the errors of statements: the rows are at fault, PostgreSQL is away for a while, or neither is certain.
// SQLSTATE classes and codes: https://www.postgresql.org/docs/current/errcodes-appendix.html

import { SluiceError } from "@sluice/shared/runtime/errors";

const SQLSTATE = /^[0-9A-Z]{5}$/;
/** Data exception, integrity constraint violation, program limit exceeded: the same rows would fail again. */
const DATA_CLASSES = ["22", "23", "54"];

/**
 * Whether an error says that the rows themselves cannot be written, so that another try is useless. Any other error (a
 * standby, a missing permission, a full disk, no connection) and any unknown error is not a data fault: the operator
 * has to repair it, and rows that were acknowledged MUST wait until then.
 */
export function isDataFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // Our own code throws these while it prepares a statement, for example for an invalid date.
  if (error instanceof TypeError || error instanceof RangeError) return true;
  const code = readErrorCode(error);
  if (SQLSTATE.test(code)) return DATA_CLASSES.includes(code.slice(0, 2));
  return isDataFault(error.cause);
}

/** "Try again later". A statement that exceeded its time limit is in class 57 (57014). */
const TRANSIENT_CLASSES = ["08", "53", "57", "40"];
/** `lock_timeout` ended a wait: another transaction, such as a backup, has the table locked. */
const LOCK_NOT_AVAILABLE = "55P03";
/** The server is a standby that was not promoted yet, or was made read-only. */
const READ_ONLY = "25006";
const TRANSIENT_SYSTEM_CODES = [
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENOENT",
];
const TRANSIENT_MESSAGES =
  /Connection terminated|timeout exceeded|Query read timeout|Client has encountered a connection error|not queryable/;

/** Whether an error says for certain that PostgreSQL is away, busy or read-only, and that it will pass. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof SluiceError) return error.code === "unavailable";
  const code = readErrorCode(error);
  if (TRANSIENT_SYSTEM_CODES.includes(code)) return true;
  if (SQLSTATE.test(code)) {
    return code === READ_ONLY || code === LOCK_NOT_AVAILABLE || TRANSIENT_CLASSES.includes(code.slice(0, 2));
  }
  if (error instanceof AggregateError) return error.errors.some(isTransient);
  return TRANSIENT_MESSAGES.test(error.message) || isTransient(error.cause);
}

const DEADLOCK = "40P01";
/** PostgreSQL has no SQLSTATE for two sessions that change one row of its catalog. */
const SAME_CATALOG_ROW = /tuple concurrently (?:updated|deleted)/;

/** Whether another session was in the way of a change of the schema, so that the same change may succeed in a moment. */
export function isContended(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ([LOCK_NOT_AVAILABLE, DEADLOCK].includes(readErrorCode(error)) || SAME_CATALOG_ROW.test(error.message))
    return true;
  return isContended(error.cause);
}

/** Whether PostgreSQL refused a statement with this SQLSTATE. Looks inside Drizzle's wrapper too. */
export function hasSqlState(error: unknown, sqlState: string): boolean {
  if (!(error instanceof Error)) return false;
  return readErrorCode(error) === sqlState || hasSqlState(error.cause, sqlState);
}

/** @returns the SQLSTATE, or the code of the operating system such as `ECONNREFUSED`; empty when the error has none. */
function readErrorCode(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}
