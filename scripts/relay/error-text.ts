// An error in one line, for a terminal.

export function errorText(error: unknown): string {
  // A host with two addresses fails with one error for each, and no message of its own.
  if (error instanceof AggregateError && error.message === "") return errorText(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
