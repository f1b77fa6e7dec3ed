// `npm run pictures` takes the pictures of docs/console: each screen, in both themes, on a desk and on a phone.

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { test as base } from "vitest";

import { consoleTest, settle } from "./console.ts";
import { fillConsole, screensOf } from "./fill-console.ts";

const directory = process.env["SLUICE_PICTURES"];
const SIZES = { desk: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

if (directory === undefined) {
  base.skip("the pictures of docs/console, which `npm run pictures` takes");
} else {
  consoleTest("the pictures of docs/console", async ({ relay, receiver, openConsole }) => {
    mkdirSync(directory, { recursive: true });
    const screens = screensOf(await fillConsole(relay, receiver));
    for (const colorScheme of ["light", "dark"] as const) {
      for (const [size, viewport] of Object.entries(SIZES)) {
        const { page, open } = await openConsole({ key: relay.apiKey, colorScheme, viewport });
        const take = (name: string) => page.screenshot({ path: join(directory, `${name}-${size}-${colorScheme}.png`) });
        for (const [name, path] of screens) {
          await open(path);
          await settle(page);
          await take(name);
        }
        await page.context().clearCookies();
        await open("/");
        await page.getByLabel("API key").waitFor();
        await take("sign-in");
      }
    }
  });
}
