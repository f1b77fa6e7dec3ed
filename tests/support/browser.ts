// Chromium for tests of pages. A test that needs one is skipped where the program is missing.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

import { type Browser, chromium, type Page } from "playwright-core";
import { onTestFinished } from "vitest";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** The path of the program; undefined when it is not on PATH. */
export function findChromium(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Opens a page, and closes its browser after the test. */
export async function openPage(executablePath: string, url: string): Promise<Page> {
  // The page is the relay's own. Chromium's sandbox does not start as root.
  const browser: Browser = await chromium.launch({ executablePath, chromiumSandbox: false });
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(url);
  return page;
}
