// Fetches a key set once, with limits: an endpoint that hangs, sends gigabytes or redirects costs only seconds and
// kilobytes.

const TIMEOUT_MS = 5_000;
/** Google's key set has a few kilobytes. */
const MAX_BYTES = 256 * 1024;

export interface FetchedKeySet {
  document: unknown;
  /** `max-age` of Cache-Control in milliseconds. Undefined when the answer has none. */
  maxAgeMs: number | undefined;
}

/** @throws Error when the endpoint does not answer with a JSON document within the limits. */
export async function fetchKeySet(uri: string): Promise<FetchedKeySet> {
  // No redirects: whoever controls a redirect on the endpoint could supply keys from another host.
  const response = await fetch(uri, {
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { accept: "application/json" },
  });
  try {
    if (response.status !== 200) throw new Error(`the endpoint answered with status ${response.status}`);
    const document: unknown = JSON.parse(await readLimited(response));
    const maxAge = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/.exec(response.headers.get("cache-control") ?? "")?.[1];
    return { document, maxAgeMs: maxAge === undefined ? undefined : Number(maxAge) * 1000 };
  } finally {
    // Closes the connection when the body was not read to its end.
    await response.body?.cancel().catch(() => undefined);
  }
}

async function readLimited(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return Buffer.concat(chunks).toString("utf8");
      size += value.length;
      if (size > MAX_BYTES) throw new Error(`the key set is above ${MAX_BYTES} bytes`);
      chunks.push(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
