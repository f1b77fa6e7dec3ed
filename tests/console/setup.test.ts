// What an operator sets up in a browser: targets, sources and keys, from making them to taking them away.

import type { Page } from "playwright-core";
import { describe, expect } from "vitest";

import { geminiEvent, signWebhook } from "../support/sign.ts";
import { until } from "../support/wait.ts";
import { consoleTest as test } from "./console.ts";

const dialogOf = (page: Page, name: string) => page.getByRole("dialog", { name });

/** Reads the secret that a dialog shows, and closes it as an operator does who has stored it. */
async function takeSecret(page: Page, title: string): Promise<string> {
  const dialog = dialogOf(page, title);
  const secret = (await dialog.locator(".secret code").textContent()) ?? "";
  await dialog.getByRole("button", { name: "I have stored it" }).click();
  await dialog.waitFor({ state: "detached" });
  return secret;
}

/** Loads the page anew, and fails when it still has a secret. */
async function expectHidden(page: Page, secret: string, heading: string): Promise<void> {
  await page.reload();
  await page.getByRole("heading", { level: 1, name: heading }).waitFor();
  await page.getByRole("table").first().waitFor();
  expect(await page.content()).not.toContain(secret);
}

describe("a target", () => {
  test("with a faulty filter shows the fault at its field, is mended, tried on events, and made", async ({
    relay,
    receiver,
    openConsole,
  }) => {
    await relay.sendEvent({ body: geminiEvent("batch.succeeded", { id: "batches/wanted" }) });
    await relay.sendEvent({ body: geminiEvent("batch.succeeded", { id: "batches/other" }) });
    await until(async () => (await relay.call("GET", "/v1/events")).data.length, { accept: (count) => count >= 2 });
    const { page, open } = await openConsole();
    await open("/targets", "Targets");
    await page.getByRole("link", { name: "New target" }).click();
    await page.getByRole("heading", { level: 1, name: "New target" }).waitFor();
    const filter = page.getByLabel("Filter (optional)");
    await page.getByLabel("URL", { exact: true }).fill(receiver.url);
    await page.getByLabel("Name (optional)").fill("filtered");
    await filter.fill("event.data.id ==");
    await page.getByRole("button", { name: "Make the target" }).click();

    const fault = page.locator(".field", { has: filter }).locator(".fault");
    await fault.waitFor();
    expect(await filter.getAttribute("aria-invalid")).toBe("true");
    expect(await filter.getAttribute("aria-describedby")).toContain(await fault.getAttribute("id"));
    await expect
      .poll(() => filter.evaluate((field: { matches: (css: string) => boolean }) => field.matches(":focus")))
      .toBe(true);
    expect(await page.getByLabel("URL", { exact: true }).inputValue()).toBe(receiver.url);
    expect(await page.getByLabel("Name (optional)").inputValue()).toBe("filtered");
    expect((await relay.call("GET", "/v1/targets?name=filtered")).data).toEqual([]);

    await filter.fill('event.data.id == "batches/wanted"');
    await page.getByRole("button", { name: "Try on the newest events" }).click();
    await page.getByText("The target would get 1 of the newest").waitFor();
    // What the relay accepted has no fault any more.
    await fault.waitFor({ state: "detached" });
    await page.getByRole("row", { name: /gets it/ }).waitFor();
    await page
      .getByRole("row", { name: /filtered out/ })
      .first()
      .waitFor();
    await page.getByRole("button", { name: "Make the target" }).click();
    const secret = await takeSecret(page, "The signing secret of the target");
    expect(secret).toMatch(/^whsec_/);
    await page.getByRole("heading", { level: 1, name: "filtered" }).waitFor();
    await expectHidden(page, secret, "filtered");
    const [target] = (await relay.call("GET", "/v1/targets?name=filtered")).data;
    expect(target).toMatchObject({ uri: receiver.url, filter: 'event.data.id == "batches/wanted"' });
    await relay.call("DELETE", `/v1/targets/${target.id}`);
  });

  test("that somebody else changed meanwhile is not overwritten", async ({ relay, receiver, openConsole }) => {
    const { id } = await relay.createTarget(receiver, { name: "shared" });
    const { page, open } = await openConsole();
    await open(`/targets/${id}/edit`, "Edit shared");
    const name = page.getByLabel("Name", { exact: true });
    await name.fill("mine");
    await relay.call("PATCH", `/v1/targets/${id}`, { name: "theirs" });
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("It has changed.").waitFor();
    expect(await name.inputValue()).toBe("mine");
    await page.getByRole("button", { name: "Show the current version, and drop my changes" }).click();
    await expect.poll(() => name.inputValue()).toBe("theirs");
    await page.getByText("It has changed.").waitFor({ state: "detached" });
    await name.fill("ours");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { level: 1, name: "ours" }).waitFor();
    expect((await relay.call("GET", `/v1/targets/${id}`)).name).toBe("ours");
  });

  test("is paused, which holds its deliveries, and resumed", async ({ relay, receiver, openConsole }) => {
    const { id } = await relay.createTarget(receiver, { name: "held" });
    const { page, open } = await openConsole();
    await open(`/targets/${id}`, "held");
    const state = page.locator(".page-head .badge");
    await page.getByRole("button", { name: "Pause" }).click();
    await state.getByText("paused").waitFor();
    await relay.sendEvent();
    await page.getByRole("row", { name: /batch\.succeeded/ }).waitFor();
    expect(receiver.requests).toEqual([]);
    await page.getByRole("button", { name: "Resume" }).click();
    await state.getByText("enabled").waitFor();
    await receiver.waitFor(1, 120_000);
  });

  test("is tested, and each attempt is shown", async ({ relay, receiver, openConsole }) => {
    receiver.answerWith((_, index) => (index === 0 ? { status: 500, body: "<b>no database</b>" } : { status: 200 }));
    const { id } = await relay.createTarget(receiver, {
      name: "tested",
      retry: { base_seconds: 3_600, cap_seconds: 3_600, horizon_seconds: 86_400 },
    });
    const { page, open } = await openConsole();
    await open(`/targets/${id}`, "tested");
    await page.getByRole("button", { name: "Send a test" }).click();
    const dialog = dialogOf(page, "Test of tested");
    await dialog.getByText("The target did not take the event.").waitFor();
    await dialog.getByText("<b>no database</b>").waitFor();
    await dialog.getByRole("button", { name: "Send another" }).click();
    await dialog.getByText("The target took the event.").waitFor();
    await dialog.getByText(receiver.url).waitFor();
    await dialog.getByRole("link", { name: "The delivery" }).click();
    await page.getByRole("heading", { level: 1, name: /^Delivery of/ }).waitFor();
    await page.locator(".attempt").getByText("200").first().waitFor();
    expect(receiver.requests).toHaveLength(2);
  });

  test("gets another secret, which is shown once while the earlier one ends later", async ({
    relay,
    receiver,
    openConsole,
  }) => {
    const { id } = await relay.createTarget(receiver, { name: "rotated" });
    const { page, open } = await openConsole();
    await open(`/targets/${id}`, "rotated");
    await page.getByRole("button", { name: "Rotate the secret…" }).click();
    await dialogOf(page, "Rotate the signing secret").getByRole("button", { name: "Rotate", exact: true }).click();
    const secret = await takeSecret(page, "The new signing secret");
    expect(secret).toMatch(/^whsec_/);
    const secrets = page.getByRole("table", { name: "Signing secrets" });
    await secrets.getByRole("row", { name: /until .*\(in 23 h|until .*\(in 1 d/ }).waitFor();
    await secrets.getByRole("row", { name: /without an end/ }).waitFor();
    await expectHidden(page, secret, "rotated");
    // A request is signed with both.
    await until(async () => {
      await relay.sendEvent();
      return receiver.requests.some(({ headers }) => String(headers["webhook-signature"]).split(" ").length === 2);
    });
  });

  test("is deleted once its name is typed", async ({ relay, receiver, openConsole }) => {
    const { id } = await relay.call("POST", "/v1/targets", {
      name: "old",
      uri: receiver.url,
      subscribed_events: ["*"],
    });
    const { page, open } = await openConsole();
    await open(`/targets/${id}`, "old");
    await page.getByRole("button", { name: "Delete…" }).click();
    const dialog = dialogOf(page, "Delete old");
    const remove = dialog.getByRole("button", { name: "Delete", exact: true });
    expect(await remove.getAttribute("aria-disabled")).toBe("true");
    await dialog.getByLabel("Type old to confirm").fill("old");
    await remove.click();
    await page.getByRole("heading", { level: 1, name: "Targets" }).waitFor();
    await expect(relay.call("GET", `/v1/targets/${id}`)).rejects.toThrow("404");
  });
});

describe("a source", () => {
  test("is made, and its secret is rotated", async ({ relay, openConsole }) => {
    const { page, open } = await openConsole();
    await open("/sources", "Sources");
    await page.getByRole("link", { name: "New source" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Not A Name");
    await page.getByRole("button", { name: "Make the source" }).click();
    await page.locator(".field", { hasText: "Name" }).locator(".fault").waitFor();
    await page.getByLabel("Name", { exact: true }).fill("second");
    await page.getByRole("button", { name: "Make the source" }).click();
    const first = await takeSecret(page, "The signing secret of the source");
    await page.getByRole("heading", { level: 1, name: "second" }).waitFor();

    await page.getByRole("button", { name: "Rotate the secret…" }).click();
    await dialogOf(page, "Rotate the signing secret").getByRole("button", { name: "Rotate", exact: true }).click();
    const second = await takeSecret(page, "The new signing secret");
    expect(second).not.toBe(first);
    await page.getByRole("table", { name: "Signing secrets" }).getByRole("row", { name: /until/ }).waitFor();
    await expectHidden(page, second, "second");
    // The page notices the first event that is signed with the new secret.
    await until(async () => (await relay.send(signWebhook({ secret: second, body: geminiEvent() }), "second")).status, {
      accept: (status) => status === 200,
    });
    await page.getByText("The newest event arrived").waitFor();
  });

  test("of the kind dynamic has addresses by ingress tokens and callback URLs", async ({ relay, openConsole }) => {
    const { page, open } = await openConsole();
    await open("/sources/new", "New source");
    await page.getByRole("radio", { name: "dynamic" }).check();
    await page.getByLabel("Name", { exact: true }).fill("jobs");
    await page.getByLabel("Audiences").fill("my-project");
    await page.getByRole("button", { name: "Make the source" }).click();
    const address = await takeSecret(page, "The address of the source");
    expect(address).toMatch(/^\/in\/jobs\/./);
    const tokens = page
      .getByRole("table", { name: "Ingress tokens" })
      .getByRole("row")
      .filter({ has: page.locator("td") });
    await tokens.first().waitFor();

    await page.getByRole("button", { name: "New ingress token" }).click();
    await dialogOf(page, "New ingress token").getByLabel("The tokens that the source has").selectOption("end at once");
    await dialogOf(page, "New ingress token").getByRole("button", { name: "Make the token" }).click();
    const next = await takeSecret(page, "The new address");
    expect(next).not.toBe(address);
    await expectHidden(page, next.split("/").at(-1) ?? "", "jobs");
    await expect.poll(() => tokens.count()).toBe(1);

    await page.getByRole("button", { name: "Make a callback URL" }).click();
    await page.getByRole("dialog").getByLabel("Labels").fill("=42");
    await page.getByRole("dialog").getByRole("button", { name: "Make the URL" }).click();
    await page.getByRole("dialog").locator(".field", { hasText: "Labels" }).locator(".fault").waitFor();
    await page.getByRole("dialog").getByLabel("Labels").fill("customer=42");
    await page.getByRole("dialog").getByRole("button", { name: "Make the URL" }).click();
    const made = dialogOf(page, "The callback URL");
    expect(await made.locator(".address code").textContent()).toContain("/in/jobs/");
    await made.getByText("customer").first().waitFor();
    await made.getByRole("button", { name: "I have stored it" }).click();

    await tokens.first().getByRole("button", { name: "Revoke…" }).click();
    await dialogOf(page, "Revoke this ingress token").getByRole("button", { name: "Revoke", exact: true }).click();
    await tokens.first().waitFor({ state: "detached" });
    expect((await relay.call("GET", "/v1/sources?name=jobs")).data[0].ingress_tokens).toEqual([]);
  });
});

test("a key is shown once when it is made, and is refused once it is revoked", async ({ relay, openConsole }) => {
  const { page, open } = await openConsole();
  await open("/keys", "Keys");
  await page.getByRole("button", { name: "New key" }).click();
  const form = dialogOf(page, "New key");
  await form.getByLabel("Name").fill("night shift");
  await form.getByRole("radio", { name: /^write/ }).check();
  await form.getByLabel("Expires").selectOption("in 30 days");
  await form.getByRole("button", { name: "Make the key" }).click();
  const key = await takeSecret(page, "The new key");
  const ask = async () =>
    (await fetch(`${relay.apiUrl}/v1/targets`, { headers: { authorization: `Bearer ${key}` } })).status;
  expect(await ask()).toBe(200);
  await expectHidden(page, key, "Keys");

  const row = page.getByRole("row", { name: /night shift/ });
  await row.getByRole("button", { name: "Revoke…" }).click();
  const dialog = dialogOf(page, "Revoke night shift");
  const revoke = dialog.getByRole("button", { name: "Revoke", exact: true });
  expect(await revoke.getAttribute("aria-disabled")).toBe("true");
  await dialog.getByLabel("Type night shift to confirm").fill("night shift");
  await revoke.click();
  await row.getByText("revoked", { exact: true }).waitFor();
  await until(ask, { accept: (status) => status === 401 });
});
