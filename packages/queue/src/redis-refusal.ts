// Tells an answer of Redis that refuses a command from every other error.

/** The code with which Redis refused a command, such as `OOM` or `READONLY`; undefined for every other error. */
export function readRefusalCode(error: unknown): string | undefined {
  const cause = error instanceof Error ? readCause(error) : error;
  return isRefusal(cause) ? /^[A-Z]+\b/.exec(cause.message)?.[0] : undefined;
}

/** What the last node said, when an error is that no node of a cluster helped. */
export function readCause(error: Error): Error {
  return "lastNodeError" in error && error.lastNodeError instanceof Error ? error.lastNodeError : error;
}

/** Whether Redis answered with an error. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}
