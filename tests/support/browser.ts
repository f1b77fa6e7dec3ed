// A page in Chromium, for tests.

import { type Browser, chromium, type Page } from "playwright-core";
import { onTestFinished } from "vitest";

/** Opens a page, and closes its browser after the test. */
export async function openPage(executablePath: string, url: string): Promise<Page> {
  // The page is the relay's own. Chromium's sandbox does not start as root.
  const browser: Browser = await chromium.launch({ executablePath, chromiumSandbox: false });
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(url);
  return page;
}
