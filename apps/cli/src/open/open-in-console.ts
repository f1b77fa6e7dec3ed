// Opens an id in the console from a command that has the whole terminal, and so cannot print a link.

import type { SluiceClient } from "@sluice/client/client";

import type { CliContext } from "../cli-context.ts";
import { findBrowser, openLink } from "./browser.ts";
import { makeConsoleLink } from "./console-link.ts";

/** @returns what to say to the person. */
export async function openInConsole(
  address: string,
  client: SluiceClient,
  id: string,
  { env }: Pick<CliContext, "env">,
): Promise<string> {
  const browser = findBrowser(env, process.platform);
  if (browser === undefined) return `No browser here; for a link run: sluice open ${id}`;
  const isOpen = await openLink(browser, await makeConsoleLink(address, client, id));
  return isOpen ? `${id} is open in your browser` : `The browser does not start; run: sluice open ${id}`;
}
