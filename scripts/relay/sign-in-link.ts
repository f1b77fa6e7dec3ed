// The links that `npm start` and `npm run demo` print: they sign in to the console, with a one-time code behind their `#`.

import type { RelayAddress } from "./connection.ts";

/** The longest that the API allows: somebody may look at the terminal later. */
const VALID_SECONDS = 3_600;
const LIMIT_MS = 5_000;

/**
 * @param path the page that the link leads to.
 * @returns the link, or the page itself, which asks for a key, where no code was made.
 */
export async function makeSignInLink(
  { apiUrl, apiKey }: Pick<RelayAddress, "apiUrl" | "apiKey">,
  path = "/console/",
): Promise<string> {
  try {
    const response = await fetch(`${apiUrl}/console/codes`, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json", connection: "close" },
      body: JSON.stringify({ valid_seconds: VALID_SECONDS }),
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const { code } = (await response.json()) as { code?: string };
    if (code !== undefined) return `${apiUrl}/console/sign-in#code=${code}${path === "/console/" ? "" : `&to=${path}`}`;
  } catch {
    // Failure policy: open. The relay runs, and the key signs in too.
  }
  return apiUrl + path;
}
