// The habits of the console: the keyboard, the address, times, themes, and what becomes of an open page.

import { expect } from "vitest";

import type { Locator } from "playwright-core";

import { until } from "../support/wait.ts";
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

test("a key signs in while the page still asks whether a proxy names somebody", async ({ relay, openConsole }) => {
  const { page, open } = await openConsole({});
  const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
  await page.route(
    "**/console/session",
    async (route) => {
      if (route.request().postData() === "{}") await isReleased;
      await route.continue();
    },
    { times: 2 },
  );
  const isAsked = page.waitForRequest((request) => request.postData() === "{}");
  await open("/events");
  await isAsked;
  await page.getByLabel("API key").fill(relay.apiKey);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { level: 1, name: "Events" }).waitFor();
  release();
});

test("a gateway that is away is shown, and the page heals by itself", async ({ openConsole }) => {
  const { page, open } = await openConsole();
  await open("/events", "Events");
  await page.context().setOffline(true);
  await page.getByText("The gateway does not answer.").waitFor();
  await page.context().setOffline(false);
  await page.getByText("The gateway does not answer.").waitFor({ state: "hidden" });
});

test("the keys reach the lines of a trace, the attempts of a delivery, and the actions of a page", async ({
  relay,
  receiver,
  openConsole,
}) => {
  receiver.answerWith(() => ({ status: 500 }));
  const retry = { base_seconds: 3_600, cap_seconds: 3_600, horizon_seconds: 86_400 };
  for (const name of ["first", "second"]) await relay.createTarget(receiver, { name, retry });
  const { webhookId } = await relay.sendEvent();
  const list = async () => (await relay.call("GET", `/v1/deliveries?webhook_id=${webhookId}&min_attempts=1`)).data;
  const [delivery] = await until(list, { accept: (found) => found.length >= 2 });
  const { page, open } = await openConsole();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: relay.apiUrl });
  const readClipboard = () => page.evaluate<string>("navigator.clipboard.readText()");
  await open(`/events/${delivery.event}`, "batch.succeeded");
  const lines = page.locator(".trace [data-row]");
  await lines.nth(1).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await expect.poll(() => isFocused(lines.nth(1))).toBe(true);
  await page.keyboard.press("y");
  await expect.poll(readClipboard).toMatch(/^dlv_/);

  // The actions, and not the id beside the title; the one in focus is a command, too.
  await open(`/deliveries/${delivery.id}`, /^Delivery of/);
  await page.getByRole("button", { name: "Retry now" }).waitFor();
  await page.keyboard.press(".");
  await expect.poll(() => isFocused(page.getByRole("button", { name: "Retry now" }))).toBe(true);
  await page.keyboard.press("c");
  await expect
    .poll(readClipboard)
    .toBe(`curl -sS -X POST '${relay.apiUrl}/v1/deliveries/${delivery.id}:retry' -H "Authorization: Bearer $KEY"`);
  await page.locator("h1").click();
  await page.keyboard.press("j");
  await page.keyboard.press("y");
  await expect.poll(readClipboard).toMatch(/^att_/);
  await page.getByRole("button", { name: "Cancel…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Copy as curl" }).click();
  await expect.poll(readClipboard).toContain(`/v1/deliveries/${delivery.id}:cancel'`);
  await page.keyboard.press("Escape");

  // A page without filters has the field for any id.
  await open("/system", "System");
  await page.keyboard.press("/");
  await expect.poll(() => isFocused(page.getByLabel("Go to any id"))).toBe(true);
});

test("an action that fails says why, under which request, and tries again", async ({
  relay,
  receiver,
  openConsole,
}) => {
  const target = await relay.createTarget(receiver, { name: "gone" });
  const { page, open } = await openConsole();
  await open(`/targets/${target.id}`, "gone");
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await page.route("**/*:pause", (route) =>
    route.fulfill({
      status: 409,
      contentType: "application/problem+json",
      headers: { "x-request-id": "req-1" },
      body: JSON.stringify({ status: 409, code: "busy", detail: "Somebody else is at it.", request_id: "req-1" }),
    }),
  );
  await page.getByRole("button", { name: "Pause" }).click();
  const dialog = page.getByRole("dialog", { name: "It was not done" });
  await dialog.getByText("Somebody else is at it.").waitFor();
  await dialog.getByText("busy", { exact: true }).waitFor();
  await dialog.getByText("req-1").waitFor();
  await page.unroute("**/*:pause");
  await dialog.getByRole("button", { name: "Try again" }).click();
  await page.locator(".page-head .badge").getByText("paused").waitFor();
  await dialog.waitFor({ state: "detached" });
});

test("any id leads somewhere: a job that has no event yet, a webhook that was refused, a key, a token", async ({
  relay,
  openConsole,
}) => {
  const source = await relay.call("POST", "/v1/sources", { name: "watched", gemini_api_key: "AIzaSy-not-a-real-key" });
  const job = await relay.call("POST", "/v1/jobs", {
    kind: "batch",
    name: "batches/without-event",
    source: source.id,
    expect_within_seconds: 7_200,
  });
  await fetch(`${relay.ingressUrl}/in/gemini`, {
    method: "POST",
    body: "{}",
    headers: { "webhook-id": "msg_refused" },
  });
  await until(async () => (await relay.call("GET", "/v1/rejections?webhook_id=msg_refused")).data, {
    accept: ({ length }) => length > 0,
  });
  const key = await relay.call("POST", "/v1/keys", { name: "night shift", scopes: ["read"] });
  const { webhookId } = await relay.sendEvent({
    body: Buffer.from('{"type":"batch.succeeded","data":{"id":"batches/with-event"}}'),
  });
  await until(async () => (await relay.call("GET", `/v1/events?webhook_id=${webhookId}`)).data, {
    accept: ({ length }) => length > 0,
  });
  const dynamic = (await relay.call("GET", "/v1/sources?name=gemini-dynamic")).data[0];
  const token = await relay.call("POST", `/v1/sources/${dynamic.id}/ingress-tokens`, {});
  const { page, open } = await openConsole();
  for (const [id, place] of [
    ["batches/without-event", `/jobs/${job.id}`],
    ["batches/with-event", "/events?data_id=batches%2Fwith-event"],
    ["msg_refused", "/rejections?webhook_id=msg_refused"],
    [webhookId, `/events?webhook_id=${webhookId}`],
    [key.id, `/keys/${key.id}`],
    [token.id, `/sources/${dynamic.id}`],
  ]) {
    await open(`/go/${id}`);
    await page.waitForURL(`${relay.apiUrl}/console${place}`);
    await page.getByRole("heading", { level: 1 }).waitFor();
  }
  await page.getByLabel("Go to any id").fill("batches/without-event");
  await page.getByLabel("Go to any id").press("Enter");
  await page.waitForURL(`**/jobs/${job.id}`);
});

test("a clock that is off is told, and countdowns follow the relay’s", async ({ relay, receiver, openConsole }) => {
  receiver.answerWith(() => ({ status: 500 }));
  const retry = { base_seconds: 3_600, cap_seconds: 3_600, horizon_seconds: 86_400 };
  const target = await relay.createTarget(receiver, { name: "later", retry });
  await relay.sendEvent();
  const list = async () => (await relay.call("GET", `/v1/deliveries?target=${target.id}&min_attempts=1`)).data;
  const [delivery] = await until(list, { accept: ({ length }) => length > 0 });
  const { page, open } = await openConsole();
  await page.clock.install({ time: Date.now() + 7_200_000 });
  await open(`/deliveries/${delivery.id}`, /^Delivery of/);
  await page.getByText("The clock of this browser is 2 h ahead of the relay’s.").waitFor();
  await page
    .locator(".facts time", { hasText: /^in \d+ min/ })
    .first()
    .waitFor();
});
