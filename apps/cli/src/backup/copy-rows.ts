// PostgreSQL's text format for COPY, read: https://www.postgresql.org/docs/current/sql-copy.html, "Text Format".

const ESCAPES: Record<string, string> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

/** @param text whole rows. @returns the columns of each row; null for NULL. */
export function* parseCopyRows(text: string): Generator<(string | null)[]> {
  for (const line of text.split("\n")) {
    if (line === "") continue;
    yield line
      .split("\t")
      .map((value) =>
        value === String.raw`\N`
          ? null
          : value.replaceAll(/\\(.)/gs, (_, escaped: string) => ESCAPES[escaped] ?? escaped),
      );
  }
}
