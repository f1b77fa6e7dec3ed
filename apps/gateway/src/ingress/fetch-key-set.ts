// One fetch of a key set, with limits: an endpoint that hangs, sends gigabytes or redirects costs seconds and
// kilobytes.

const TIMEOUT_MS = 5_000;
/** Google's set is a few kilobytes. */
const MAX_BYTES = 256 * 1024;

export interface FetchedKeySet {
  document: unknown;
  /** `max-age` of Cache-Control, in milliseconds; undefined when the answer names none. */
  maxAgeMs: number | undefined;
}

/** @throws Error when there is no JSON document within the limits. */
export async function fetchKeySet(uri: string): Promise<FetchedKeySet> {
  // Not followed: who can redirect the endpoint could name another host's keys.
  const response = await fetch(uri, {
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { accept: "application/json" },
  });
  try {
    if (response.status !== 200) throw new Error(`the endpoint answered ${response.status}`);
    const document: unknown = JSON.parse(await readLimited(response));
    const maxAge = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/.exec(response.headers.get("cache-control") ?? "")?.[1];
    return { document, maxAgeMs: maxAge === undefined ? undefined : Number(maxAge) * 1000 };
  } finally {
    // Ends the connection where the body was not read to its end.
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
