// The text of an error for a terminal.

export function errorText(error: unknown): string {
  // A connection to a host with two addresses fails with one error for each address, inside an error without a message.
  if (error instanceof AggregateError && error.message === "") return errorText(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
