// Every screen, in both themes and at both widths: it is there, axe finds nothing, and nothing is wider than the page.

import axe, { type AxeResults } from "axe-core";
import { expect } from "vitest";

import { consoleTest as test, settle } from "./console.ts";
import { fillConsole, screensOf } from "./fill-console.ts";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

test("no screen has a fault that axe finds, and none is wider than its window", async ({
  relay,
  receiver,
  openConsole,
}) => {
  const screens = screensOf(await fillConsole(relay, receiver));
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
        await page.evaluate(axe.source);
        const run = JSON.stringify({ runOnly: { type: "tag", values: RULES }, resultTypes: ["violations"] });
        const { violations } = await page.evaluate<AxeResults>(`axe.run(document, ${run})`);
        found.push(...violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${where}: ${id} at ${html}`)));
      }
    }
  }
  expect(found).toEqual([]);
});
