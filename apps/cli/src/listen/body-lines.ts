// A body as lines for a look at it.

/** The lines of a body: indented where that changes no value in it, as it is otherwise. */
export function bodyLines(base64: string): string[] {
  const text = Buffer.from(base64, "base64").toString("utf8");
  return (indented(text) ?? text).split("\n");
}

function indented(json: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json);
    // A number that a double cannot hold would be shown as another one.
    return JSON.stringify(value) === json.trim() ? JSON.stringify(value, null, 2) : undefined;
  } catch {
    return undefined;
  }
}
