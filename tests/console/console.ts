// The console of a real relay in Chromium. Every page is watched: it asks no other host, breaks no content security policy, and
// throws nothing.

import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { beforeEach, expect, inject } from "vitest";

import { type Relay, relayTest } from "../support/relay.ts";

/** Each step of a page has this long on a busy machine. */
const STEP_MS = 120_000;

export interface OpenConsole {
  page: Page;
  /** Opens a screen, such as `/events`, and waits for its heading. */
  open: (path: string, heading?: string | RegExp) => Promise<void>;
}

export interface OpenOptions extends BrowserContextOptions {
  /** Signs in with this key; without one, the page asks for it. */
  key?: string | undefined;
}

/** What the pages of a browser must never do, those in other tabs too. */
async function watch(context: BrowserContext, apiUrl: string, faults: string[]): Promise<void> {
  await context.addInitScript(`document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
    console.error("content security policy: " + violatedDirective + " " + blockedURI));`);
  context.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(apiUrl) && !/^(?:data|blob):/.test(url)) faults.push(`It asked ${url}`);
  });
  context.on("weberror", (error) => faults.push(`It threw ${error.error().message}`));
  context.on("console", (message) => {
    // The browser says this of every answer that is an error, which some tests want.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      faults.push(message.text());
  });
}

/** Waits until a screen shows what it has read. */
export async function settle(page: Page): Promise<void> {
  await page.locator("main h1").waitFor();
  await expect.poll(() => page.locator("main .skeleton, main [aria-busy=true]").count()).toBe(0);
  await expect.poll(() => page.getByText(/^Loading/).count()).toBe(0);
}

async function openConsole(browser: Browser, relay: Relay, faults: string[], options: OpenOptions) {
  const { key, ...contextOptions } = options;
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    reducedMotion: "reduce",
    timezoneId: "Europe/Berlin",
    ...contextOptions,
  });
  context.setDefaultTimeout(STEP_MS);
  await watch(context, relay.apiUrl, faults);
  const page = await context.newPage();
  const open = async (path: string, heading?: string | RegExp) => {
    await page.goto(`${relay.apiUrl}/console${path}`);
    if (heading !== undefined) await page.getByRole("heading", { level: 1, name: heading }).waitFor();
  };
  if (key !== undefined) {
    await open("/");
    await page.getByLabel("API key").fill(key);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator("#main").waitFor();
  }
  return { page, open, close: () => context.close() };
}

beforeEach(({ skip }) => {
  skip(inject("chromium") === undefined, "there is no chromium on PATH");
});

/**
 * `test` with a relay that serves the console, and a fixture that opens it.
 * @param settings what this relay has in addition.
 */
export const consoleTestWith = (settings: Record<string, string>) =>
  relayTest({
    consoleDirectory: inject("consoleDirectory"),
    settings: {
      PUBLIC_URL: "https://hooks.example.com",
      // Nobody listens there: no test calls the real Gemini.
      GEMINI_BASE_URL: "http://127.0.0.1:9",
      ...settings,
    },
  })
    // oxlint-disable-next-line no-empty-pattern -- Vitest reads from the pattern that this needs no other fixture.
    .extend("browser", { scope: "file" }, async ({}, { onCleanup }) => {
      const executablePath = inject("chromium");
      if (executablePath === undefined) return undefined;
      // The pages are the relay's own. Chromium's sandbox does not start as root.
      const browser = await chromium.launch({ executablePath, chromiumSandbox: false });
      onCleanup(() => browser.close());
      return browser;
    })
    .extend("openConsole", async ({ browser, relay }, { onCleanup }) => {
      const faults: string[] = [];
      const opened: { close: () => Promise<void> }[] = [];
      onCleanup(async () => {
        for (const { close } of opened) await close();
        expect(faults).toEqual([]);
      });
      return async (options: OpenOptions = { key: relay.apiKey }): Promise<OpenConsole> => {
        if (browser === undefined) throw new Error("There is no Chromium: the test should have been skipped");
        const console = await openConsole(browser, relay, faults, options);
        opened.push(console);
        return console;
      };
    });

export const consoleTest = consoleTestWith({});
