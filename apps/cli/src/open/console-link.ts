// A link that signs in to the console once, as the key of the command, and leads to what an id names.

import type { SluiceClient } from "@sluice/client/client";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { asked } from "../relay/relay-api.ts";

/** Long enough to paste a printed link into a browser. */
const VALID_SECONDS = 600;

/**
 * @param address where the browser reaches the console.
 * @param id of any resource; undefined for the first page.
 * @throws SluiceError `not_found` for a relay without a console.
 */
export async function makeConsoleLink(address: string, client: SluiceClient, id: string | undefined): Promise<string> {
  const { code } = await makeCode(client);
  // Behind the #, so that no server and no proxy logs it.
  const place = id === undefined ? {} : { to: `/console/go/${encodeURIComponent(id)}` };
  return `${address}/console/sign-in#${new URLSearchParams({ code, ...place }).toString()}`;
}

async function makeCode(client: SluiceClient): Promise<{ code: string }> {
  try {
    return (await asked(client.ask("POST", "/console/codes", { body: { valid_seconds: VALID_SECONDS } }))) as {
      code: string;
    };
  } catch (error) {
    if (!(error instanceof SluiceError && error.code === "not_found")) throw error;
    throw new SluiceError("not_found", "This relay has no console: upgrade it", { cause: error });
  }
}
