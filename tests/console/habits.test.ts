// The habits of the console: the keyboard, the address, times, themes, and what becomes of an open page.

import { expect } from "vitest";

import type { Locator } from "playwright-core";

import { consoleTest as test } from "./console.ts";

const isFocused = (element: Locator) =>
  element.evaluate((found: { matches: (selector: string) => boolean }) => found.matches(":focus"));

test("an operator needs no mouse", async ({ relay, receiver, openConsole }) => {
  await relay.createTarget(receiver);
  for (let sent = 0; sent < 3; sent++) await relay.sendEvent();
  const { page, open } = await openConsole();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: relay.apiUrl });
  await open("/system", "System");
  await page.keyboard.press("g");
  await page.keyboard.press("e");
  await page.getByRole("heading", { level: 1, name: "Events" }).waitFor();
  const rows = page.locator("[data-row]");
  await rows.nth(2).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("j");
  const second = rows.nth(1);
  await expect.poll(() => isFocused(second)).toBe(true);
  const readClipboard = () => page.evaluate<string>("navigator.clipboard.readText()");
  await page.keyboard.press("y");
  await expect.poll(readClipboard).toMatch(/^evt_/);
  const id = await readClipboard();
  await page.keyboard.press("c");
  await expect.poll(readClipboard).toBe(`curl -sS '${relay.apiUrl}/v1/events/${id}' -H "Authorization: Bearer $KEY"`);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/events/${id}`);
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await page.keyboard.press("g");
  await page.keyboard.press("d");
  await page.getByRole("heading", { level: 1, name: "Deliveries" }).waitFor();
  await page.keyboard.press("/");
  await expect.poll(() => isFocused(page.getByRole("combobox", { name: "Status" }))).toBe(true);
});

test("the address has the filters, which a refresh keeps and Back takes off", async ({ openConsole }) => {
  const { page, open } = await openConsole();
  await open("/events?event_type=video.*&since=-24h", "Events");
  expect(await page.getByLabel("Event type").inputValue()).toBe("video.*");
  await page.getByLabel("Job").fill("batches/none");
  await page.getByLabel("Job").press("Enter");
  await page.getByText("Nothing matches.").waitFor();
  expect(new URL(page.url()).search).toBe(
    "?event_type=video.*&since=-24h&data_id=batches/none".replaceAll("/none", "%2Fnone"),
  );
  await page.reload();
  expect(await page.getByLabel("Job").inputValue()).toBe("batches/none");
  await page.goBack();
  await expect.poll(() => page.getByLabel("Job").inputValue()).toBe("");
});

test("a wrong filter says so at its field, with the request id", async ({ openConsole }) => {
  const { page, open } = await openConsole();
  await open("/deliveries?since=yesterday", "Deliveries");
  await page.locator("label", { hasText: "Since" }).getByText("must be a time").waitFor();
  await page.getByText("invalid_request").waitFor();
  await page.getByText(/^request/).waitFor();
});

test("times are local, UTC on a switch, and exact on hover", async ({ relay, openConsole }) => {
  const { webhookId } = await relay.sendEvent();
  const { page, open } = await openConsole();
  await open(`/events?webhook_id=${webhookId}`, "Events");
  const time = page.locator("tbody time").first();
  const iso = (await time.getAttribute("title")) ?? "";
  const clock = (zone: string) => new Date(iso).toLocaleTimeString("en-GB", { timeZone: zone, hour12: false });
  expect(await time.textContent()).toContain(clock("Europe/Berlin"));
  await page.getByRole("button", { name: /^Europe\/Berlin, UTC\+0/ }).click();
  await expect.poll(() => time.textContent()).toContain(clock("UTC"));
  // The choice outlasts the page.
  await page.reload();
  await expect.poll(() => time.textContent()).toContain(clock("UTC"));
});

test("the theme follows the system, and can be chosen", async ({ openConsole, relay }) => {
  const { page, open } = await openConsole({ key: relay.apiKey, colorScheme: "dark" });
  await open("/events", "Events");
  const brightness = () =>
    page.evaluate<number>("Number(/[0-9]+/.exec(getComputedStyle(document.documentElement).backgroundColor)[0])");
  expect(await brightness()).toBeLessThan(60);
  await page.getByRole("button", { name: /^Theme: system/ }).click();
  await expect.poll(brightness).toBeGreaterThan(200);
});

test("a wrong key is refused with a reason, and a session ends with its key", async ({ relay, openConsole }) => {
  const { key, id } = await relay.call("POST", "/v1/keys", { name: "night shift", scopes: ["read"] });
  const { page, open } = await openConsole({});
  await open("/events");
  await page.getByLabel("API key").fill("sluice_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("unauthenticated").waitFor();
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  // The address stays, and no storage has the key.
  await page.getByRole("heading", { level: 1, name: "Events" }).waitFor();
  expect(await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")).not.toContain(key);

  // A read key sees what it may not do, with the reason.
  await open("/deliveries", "Deliveries");
  const retry = page.getByRole("button", { name: "Retry matching…" });
  expect(await retry.getAttribute("aria-disabled")).toBe("true");
  expect(await retry.getAttribute("title")).toContain("needs the scope “write”");

  await relay.call("POST", `/v1/keys/${id}:revoke`);
  await page.getByRole("button", { name: "Refresh" }).click();
  await page.getByLabel("API key").waitFor();
});

test("a gateway that is away is shown, and the page heals by itself", async ({ openConsole }) => {
  const { page, open } = await openConsole();
  await open("/events", "Events");
  await page.context().setOffline(true);
  await page.getByText("The gateway does not answer.").waitFor();
  await page.context().setOffline(false);
  await page.getByText("The gateway does not answer.").waitFor({ state: "hidden" });
});
