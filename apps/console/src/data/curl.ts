// What the console shows, as a command of curl. The key is never in it: `$KEY` stands for it.

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** @param path with its query. */
export function asCurl(path: string, change?: { method: string; body?: unknown }): string {
  const words = ["curl", "-sS", ...(change === undefined ? [] : ["-X", change.method]), quoted(location.origin + path)];
  words.push("-H", '"Authorization: Bearer $KEY"');
  if (change?.body !== undefined) {
    words.push("-H", quoted("Content-Type: application/json"), "-d", quoted(JSON.stringify(change.body)));
  }
  return words.join(" ");
}
