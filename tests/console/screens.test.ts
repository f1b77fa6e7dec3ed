// Every screen, in both themes and at both widths: it is there, axe finds nothing, and nothing is wider than its place. While
// the relay has not answered, each says so. None has a stored secret, each time has its exact form, and each row is a link.

import type { Page } from "playwright-core";
import { expect } from "vitest";

import type { Relay } from "../support/relay.ts";
import { findAxeFaults } from "./axe-faults.ts";
import { consoleTest as test, settle } from "./console.ts";
import { fillConsole, screensOf, STORED_SECRETS } from "./fill-console.ts";

/** Stored secrets, times without their exact form, and rows that lead nowhere. */
async function findLapses(page: Page, where: string, relay: Relay): Promise<string[]> {
  const content = await page.content();
  const secrets = [...STORED_SECRETS, relay.apiKey, relay.secret].filter((secret) => content.includes(secret));
  const times = await page.locator("main time").and(page.locator(":not([title*=T])")).count();
  const rows = await page
    .locator("main tr[data-id]")
    .filter({ hasNot: page.locator("[data-row]") })
    .count();
  return [
    ...secrets.map((secret) => `${where}: it has the secret ${secret}`),
    ...(times > 0 ? [`${where}: a time without its exact form`] : []),
    ...(rows > 0 ? [`${where}: a row that is no link`] : []),
  ];
}

/** Each screen is opened and searched four times. */
const ALL_SCREENS_MS = 900_000;

test(
  "no screen has a fault that axe finds, none is wider than its window, and none has a stored secret",
  { timeout: ALL_SCREENS_MS },
  async ({ relay, receiver, openConsole }) => {
    const filled = await fillConsole(relay, receiver);
    const screens = screensOf(filled);
    // The longest name that the API takes. It gets no event.
    await relay.createTarget(receiver, { name: "n".repeat(200), subscribed_events: ["interaction.failed"] });
    const found: string[] = [];
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [1440, 390]) {
        const { page, open } = await openConsole({ key: relay.apiKey, colorScheme, viewport: { width, height: 900 } });
        for (const [name, path] of screens) {
          await open(path);
          await settle(page);
          const where = `${name} (${colorScheme}, ${width})`;
          if ((await page.locator("main .problem").count()) > 0) found.push(`${where}: it shows a problem`);
          const overflow = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
          if (overflow > 0) found.push(`${where}: ${overflow} pixels wider than the window`);
          // A list hides columns where it has no room for them. One that is wider than its box cuts the last ones off.
          const cut = await page.evaluate<number>(
            `[...document.querySelectorAll(".rows")].filter((box) => box.scrollWidth > box.clientWidth).length`,
          );
          if (cut > 0) found.push(`${where}: a list is wider than its box`);
          // What a page holds is the same in every theme and width.
          if (colorScheme === "light" && width === 1440) found.push(...(await findLapses(page, where, relay)));
          found.push(...(await findAxeFaults(page)).map((fault) => `${where}: ${fault}`));
        }
      }
    }
    expect(found).toEqual([]);

    const { page, open } = await openConsole();
    await open(filled.event);
    await page.getByRole("button", { name: "Replay…" }).click();
    await page.getByRole("checkbox", { name: "nnn" }).waitFor();
    const cut = await page.getByRole("dialog").evaluate((dialog: Scrolled) => dialog.scrollWidth - dialog.clientWidth);
    expect(cut).toBeLessThanOrEqual(0);
  },
);

/** What this test needs of a page's elements. The types of Node have none of them. */
interface Scrolled {
  scrollWidth: number;
  clientWidth: number;
}

/** These show a form or what comes by the stream, and await nothing. */
const AWAIT_NOTHING = ["new-target", "new-source", "live"];

test("every screen says that it awaits the relay", async ({ openConsole }) => {
  const { page, open } = await openConsole();
  // None of these exists, and the relay is not asked.
  const anything = {
    event: "/events/any",
    delivery: "/deliveries/any",
    target: "/targets/any",
    source: "/sources/any",
    operation: "/operations/any",
    audit: "/audit/any",
    job: "/jobs/any",
    rejection: "/rejections/any",
    key: "/keys/any",
  };
  await page.route("**/v1/**", () => undefined);
  for (const [name, path] of screensOf(anything)) {
    if (AWAIT_NOTHING.includes(name)) continue;
    await open(path);
    await page.getByRole("status", { name: "Loading" }).first().waitFor();
  }
  await page.unrouteAll({ behavior: "ignoreErrors" });
});
