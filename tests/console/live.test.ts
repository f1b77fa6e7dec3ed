// The live tail in a browser: events as they come, a pause, rows that stay where they are, and one stream for all tabs.

import type { Page } from "playwright-core";
import { expect } from "vitest";

import type { Relay } from "../support/relay.ts";
import { geminiEvent } from "../support/sign.ts";
import { until } from "../support/wait.ts";
import { consoleTest as test, type OpenConsole } from "./console.ts";

const rowsOf = (page: Page) => page.getByRole("table", { name: "Live" }).locator("tbody tr");

/** Opens Live with the pointer away from the list, and waits for the tail: what is sent from now on is shown. */
async function openLive({ page, open }: OpenConsole, search = ""): Promise<void> {
  await open(`/live${search}`, "Live");
  await page.mouse.move(0, 0);
  await page.locator(".page-head").getByText("connected", { exact: true }).waitFor();
}

async function sendEvents(relay: Relay, count: number, type = "batch.succeeded"): Promise<void> {
  for (let sent = 0; sent < count; sent++) await relay.sendEvent({ body: geminiEvent(type) });
}

test("events, attempts and changes of deliveries are shown as they come", async ({ relay, receiver, openConsole }) => {
  await relay.createTarget(receiver, { name: "billing" });
  const console = await openConsole();
  await openLive(console);
  await relay.sendEvent();
  const { page } = console;
  for (const what of ["received", "attempt succeeded", "succeeded"]) {
    await rowsOf(page)
      .filter({ has: page.getByText(what, { exact: true }) })
      .first()
      .waitFor();
  }
  await rowsOf(page).filter({ hasText: "attempt succeeded" }).filter({ hasText: "billing" }).getByRole("link").click();
  await page.getByRole("heading", { level: 1, name: /^Delivery of/ }).waitFor();
});

test("a pause counts what is new, and going on shows it", async ({ relay, openConsole }) => {
  const console = await openConsole();
  await openLive(console);
  const { page } = console;
  await sendEvents(relay, 2);
  await rowsOf(page).nth(1).waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await sendEvents(relay, 3);
  await page.getByText("3 new").waitFor();
  expect(await rowsOf(page).count()).toBe(2);
  await page.getByRole("button", { name: "Go on" }).click();
  await rowsOf(page).nth(4).waitFor();
  await page.getByText("Paused").waitFor({ state: "detached" });
});

test("rows do not move under the pointer", async ({ relay, openConsole }) => {
  const console = await openConsole();
  await openLive(console);
  const { page } = console;
  await sendEvents(relay, 2);
  await rowsOf(page).nth(1).waitFor();
  const first = rowsOf(page).first();
  await first.hover();
  await page.getByText("Held while you are at the list").waitFor();
  const look = async () => ({ id: await first.getAttribute("data-id"), box: await first.boundingBox() });
  const before = await look();
  await sendEvents(relay, 4);
  await page.getByText("4 new").waitFor();
  expect(await look()).toEqual(before);
  await page.mouse.move(0, 0);
  await rowsOf(page).nth(5).waitFor();
  expect((await look()).id).not.toBe(before.id);
});

test("all tabs of a browser share one stream", async ({ relay, openConsole }) => {
  const console = await openConsole();
  await openLive(console);
  const { page } = console;
  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.locator(".page-head").getByText("connected", { exact: true }).waitFor();
  await other.mouse.move(0, 0);
  const countStreams = async () => /^sluice_tail_clients (\d+)$/m.exec(await relay.readMetrics())?.[1];
  // The tabs of earlier tests have left, each with its browser.
  await until(countStreams, { accept: (count) => count === "1" });
  await sendEvents(relay, 1);
  await rowsOf(page).first().waitFor();
  await rowsOf(other).first().waitFor();
  expect(await countStreams()).toBe("1");

  // The tab that is left keeps the stream, and the last one ends it.
  await page.close();
  await sendEvents(relay, 1);
  await rowsOf(other).nth(1).waitFor();
  await other.close();
  await until(countStreams, { accept: (count) => count === "0" });
});

test("filters are in the address, and hold for what has come and for what comes", async ({ relay, openConsole }) => {
  const console = await openConsole();
  await openLive(console);
  const { page } = console;
  await sendEvents(relay, 1, "batch.failed");
  await sendEvents(relay, 1, "video.generated");
  await rowsOf(page).nth(1).waitFor();
  await page.getByLabel("Event type").fill("video.*");
  await page.getByLabel("Event type").press("Enter");
  await expect.poll(() => rowsOf(page).count()).toBe(1);
  expect(new URL(page.url()).search).toBe("?event_type=video.*");
  await sendEvents(relay, 1, "batch.failed");
  await sendEvents(relay, 1, "video.generated");
  await rowsOf(page).nth(1).waitFor();
  expect(await rowsOf(page).filter({ hasText: "batch.failed" }).count()).toBe(0);
  await page.getByRole("button", { name: "Clear", exact: true }).click();
  await expect.poll(() => rowsOf(page).count()).toBe(4);

  // A link with a filter opens with it.
  await openLive(console, "?event_type=video.*&kind=event");
  expect(await page.getByRole("combobox", { name: "Kind" }).inputValue()).toBe("event");
  await sendEvents(relay, 1, "batch.failed");
  await sendEvents(relay, 1, "video.generated");
  await rowsOf(page).first().waitFor();
  expect(await rowsOf(page).count()).toBe(1);
});

test("filters that only the relay can judge go to it: labels, ids and jobs, for attempts as for events", async ({
  relay,
  receiver,
  openConsole,
}) => {
  await relay.createTarget(receiver, { name: "labelled" });
  const console = await openConsole();
  await openLive(console, "?label=team:billing");
  const { page } = console;
  await page.getByLabel("Labels").waitFor();
  const send = (team: string) =>
    relay.call("POST", "/v1/events", { type: "batch.succeeded", data: { id: `batches/${team}` }, labels: { team } });
  await send("search");
  await send("billing");
  for (const what of ["received", "attempt succeeded", "succeeded"]) {
    await rowsOf(page)
      .filter({ has: page.getByText(what, { exact: true }) })
      .first()
      .waitFor();
  }
  // The event, the delivery as it was made and as it ended, and the attempt: none of the other team.
  expect(new Set(await rowsOf(page).locator("td:nth-child(2)").allTextContents())).toEqual(
    new Set(["received", "waiting", "attempt succeeded", "succeeded"]),
  );
  expect(await rowsOf(page).count()).toBe(4);

  // A wrong filter says so at its field, and a right one goes on.
  await page.getByLabel("Labels").fill("billing");
  await page.getByLabel("Labels").press("Enter");
  await page.locator("label", { hasText: "Labels" }).getByText("must be a label's name and value").waitFor();
  await page.getByLabel("Labels").fill("");
  await page.getByLabel("Job").fill("batches/search");
  await page.getByLabel("Job").press("Enter");
  await page.locator(".page-head").getByText("connected", { exact: true }).waitFor();
  await page.mouse.move(0, 0);
  await send("billing");
  await send("search");
  await rowsOf(page).filter({ hasText: "received" }).waitFor();
  expect(new URL(page.url()).search).toBe("?data_id=batches%2Fsearch");
});
