// The link of `npm start` that signs in to the console, with a one-time code behind its `#`.

import type { RelayAddress } from "./connection.ts";

/** The longest that the API allows: somebody may look at the terminal later. */
const VALID_SECONDS = 3_600;
const LIMIT_MS = 5_000;

/** @returns the link, or the page that asks for a key where no code was made. */
export async function makeSignInLink({ apiUrl, apiKey }: Pick<RelayAddress, "apiUrl" | "apiKey">): Promise<string> {
  try {
    const response = await fetch(`${apiUrl}/console/codes`, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json", connection: "close" },
      body: JSON.stringify({ valid_seconds: VALID_SECONDS }),
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const { code } = (await response.json()) as { code?: string };
    if (code !== undefined) return `${apiUrl}/console/sign-in#code=${code}`;
  } catch {
    // Failure policy: open. The relay runs, and the key signs in too.
  }
  return `${apiUrl}/console/`;
}
