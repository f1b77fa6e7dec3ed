// What an operator does with the log in a browser: finds what failed, looks at it, mends it.

import { describe, expect } from "vitest";

import type { Relay } from "../support/relay.ts";
import { geminiEvent } from "../support/sign.ts";
import { until } from "../support/wait.ts";
import { consoleTest as test } from "./console.ts";

/** A job of Gemini, as an event names it. */
const eventOf = (job: string) => Buffer.from(JSON.stringify({ type: "batch.succeeded", data: { id: job } }));

describe("one event that was not delivered", () => {
  test("is found by the id of its job, and is retried", async ({ relay, receiver, openConsole }) => {
    receiver.answerWith(() => ({ status: 422, body: "<b>no such customer</b>" }));
    await relay.createTarget(receiver, {
      name: "billing",
      retry: { base_seconds: 1, cap_seconds: 1, horizon_seconds: 1 },
    });
    await relay.sendEvent({ body: eventOf("batches/other") });
    await relay.sendEvent({ body: eventOf("batches/wanted") });
    await until(async () => (await relay.call("GET", "/v1/deliveries?status=exhausted")).data, {
      accept: (found) => found.length === 2,
    });
    const { page, open } = await openConsole();
    await open("/deliveries", "Deliveries");
    await page.getByLabel("Job").fill("batches/wanted");
    await page.getByLabel("Job").press("Enter");
    await page
      .getByRole("row", { name: /exhausted/ })
      .getByRole("link", { name: "batch.succeeded" })
      .click();
    await page.getByText("<b>no such customer</b>").first().waitFor();

    receiver.answerWith(() => ({ status: 200 }));
    await page.getByRole("button", { name: "Retry now" }).click();
    await page.locator(".page-head").getByText("succeeded", { exact: true }).waitFor();
    const newest = page.locator(".attempt").first();
    await newest.getByText("by hand").waitFor();

    // Any two attempts can be compared.
    const ticks = page.getByRole("checkbox", { name: /Compare attempt/ });
    await ticks.first().check();
    await ticks.last().check();
    await page.getByRole("row", { name: /^Answer 422 200/ }).waitFor();

    // Its event shows both on one time axis.
    await page.getByRole("link", { name: /^evt_/ }).click();
    await page.getByRole("img", { name: /^Attempt \d+: 200/ }).waitFor();
    await page.goBack();
    await page.getByRole("heading", { level: 1, name: /^Delivery of/ }).waitFor();
    await page.goBack();
    await expect.poll(() => page.getByLabel("Job").inputValue()).toBe("batches/wanted");
  });

  test("is found by any id", async ({ relay, receiver, openConsole }) => {
    await relay.createTarget(receiver);
    const { webhookId } = await relay.sendEvent();
    const delivery = await until(
      async () => (await relay.call("GET", `/v1/deliveries?webhook_id=${webhookId}`)).data[0],
      {
        accept: (found) => found?.status === "succeeded",
      },
    );
    const [attempt] = (await relay.call("GET", `/v1/attempts?delivery=${delivery.id}`)).data;
    const { page, open } = await openConsole();
    await open(`/go/${delivery.event}`, "batch.succeeded");
    await open(`/go/${attempt.id}`, /^Delivery of/);
    expect(page.url()).toContain(delivery.id);
    await page.getByLabel("Go to any id").fill(webhookId);
    await page.getByLabel("Go to any id").press("Enter");
    await page.getByRole("row", { name: /batch.succeeded/ }).waitFor();
    expect(new URL(page.url()).search).toBe(`?webhook_id=${webhookId}`);
  });
});

test("a thousand deliveries that match are counted, confirmed by typing, and retried", async ({
  relay,
  receiver,
  openConsole,
}) => {
  receiver.answerWith(() => ({ status: 422 }));
  const target = await relay.createTarget(receiver, {
    name: "thousand",
    retry: { base_seconds: 0.1, cap_seconds: 0.1, horizon_seconds: 1 },
  });
  const count = 1_000;
  for (let sent = 0; sent < count; sent += 50) {
    await Promise.all(Array.from({ length: 50 }, () => relay.sendEvent({ body: geminiEvent() })));
  }
  const total = async (status: string) => {
    const body = { target: target.id, status: [status], dry_run: true };
    return (await relay.call("POST", "/v1/deliveries:retry", body)).total as number;
  };
  await until(() => total("exhausted"), { accept: (found) => found === count });

  receiver.answerWith(() => ({ status: 200 }));
  const { page, open } = await openConsole();
  await open("/deliveries?status=exhausted&since=-1h", "Deliveries");
  await page.getByRole("combobox", { name: "Target" }).selectOption("thousand");
  await page.getByText("50 shown").waitFor();
  await page.getByRole("button", { name: "Retry matching…" }).click();
  const dialog = page.getByRole("dialog");
  const start = dialog.getByRole("button", { name: "Retry 1,000 deliveries" });
  await start.waitFor();
  expect(await start.getAttribute("aria-disabled")).toBe("true");
  await dialog.getByLabel("Type 1000 to confirm").fill("1000");
  await start.click();
  await page.getByRole("heading", { level: 1, name: /Retry/ }).waitFor();
  await page.getByText("succeeded", { exact: true }).first().waitFor();
  await until(() => total("succeeded"), { accept: (found) => found === count });
});

/** Sends a payload to the relay. @returns the id of its event. */
async function store(relay: Relay, body: Buffer): Promise<string> {
  const { webhookId } = await relay.sendEvent({ body });
  const find = async () => (await relay.call("GET", `/v1/events?webhook_id=${webhookId}`)).data[0]?.id;
  return until(find, { accept: (id) => id !== undefined });
}

describe("a payload from outside", () => {
  test("is text and no markup", async ({ relay, openConsole }) => {
    const markup = "<img src=x onerror=document.title='run'>";
    const id = await store(
      relay,
      Buffer.from(JSON.stringify({ type: "batch.succeeded", data: { id: markup, [markup]: markup } })),
    );
    const console = await openConsole();
    await console.open(`/events/${id}`, "batch.succeeded");
    await console.page.getByRole("region", { name: "Payload as JSON" }).getByText("onerror").first().waitFor();
    expect(await console.page.locator("main img, main script").count()).toBe(0);
    expect(await console.page.title()).not.toBe("run");
  });

  test("of a megabyte opens with its beginning, and shows more when asked", async ({ relay, openConsole }) => {
    const items = Array.from({ length: 8_000 }, (_, index) => ({ id: `item-${index}`, text: "x".repeat(90) }));
    const id = await store(
      relay,
      Buffer.from(JSON.stringify({ type: "batch.succeeded", data: { id: "large", items } })),
    );
    const console = await openConsole();
    await console.open(`/events/${id}`, "batch.succeeded");
    const region = console.page.getByRole("region", { name: "Payload as JSON" });
    await region.waitFor();
    const length = async () => ((await region.textContent()) ?? "").length;
    expect(await length()).toBeLessThan(25_000);
    await console.page.getByRole("button", { name: "Show more" }).click();
    await expect.poll(length).toBeGreaterThan(200_000);
  });

  test("that is no UTF-8 is shown with a sentence that says so", async ({ relay, openConsole }) => {
    const id = await store(relay, Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x7d]));
    const console = await openConsole();
    await console.open(`/events/${id}`, "Event without a type");
    await console.page.getByRole("tab", { name: "Raw" }).click();
    await console.page.getByText("These bytes are not UTF-8").waitFor();
  });

  test("with a text of 10,000 characters does not widen the page", async ({ relay, openConsole }) => {
    const id = await store(
      relay,
      Buffer.from(JSON.stringify({ type: "batch.succeeded", data: { id: "x".repeat(10_000) } })),
    );
    const console = await openConsole();
    await console.open(`/events/${id}`, "batch.succeeded");
    await console.page.getByRole("region", { name: "Payload as JSON" }).waitFor();
    const overflow = () => console.page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
    expect(await overflow()).toBeLessThanOrEqual(0);
  });
});
