// What the pages of targets and sources show beside their forms, and what they copy.

import { expect } from "vitest";

import { consoleTest as test } from "./console.ts";

const PUBLIC_KEY = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";

test("the page of a dynamic source shows its public keys", async ({ relay, openConsole }) => {
  const source = await relay.call("POST", "/v1/sources", {
    name: "partner",
    kind: "dynamic",
    audiences: ["my-project"],
    public_keys: [PUBLIC_KEY],
  });
  const { page, open } = await openConsole();
  await open(`/sources/${source.id}`, "partner");
  await page.getByText(PUBLIC_KEY).waitFor();
});

test("which deliveries of a target are shown is in the address", async ({ relay, receiver, openConsole }) => {
  const { id } = await relay.createTarget(receiver, { name: "watched" });
  const { page, open } = await openConsole();
  await open(`/targets/${id}`, "watched");
  await page.getByRole("button", { name: "Exhausted" }).click();
  await page.getByText("No delivery was given up.").waitFor();
  expect(new URL(page.url()).search).toBe("?deliveries=exhausted");
  await page.reload();
  await page.getByText("No delivery was given up.").waitFor();
});

test("a form is copied as curl without the secrets that were typed", async ({ relay, openConsole }) => {
  const { page, open } = await openConsole();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: relay.apiUrl });
  await open("/sources/new", "New source");
  await page.getByLabel("Name", { exact: true }).fill("billing");
  await page.getByLabel("Signing secret (optional)").fill(`whsec_${"c2Vj".repeat(8)}`);
  await page.getByRole("button", { name: "Copy as curl" }).click();
  const readClipboard = () => page.evaluate<string>("navigator.clipboard.readText()");
  await expect.poll(readClipboard).toContain(`-X POST '${relay.apiUrl}/v1/sources'`);
  expect(await readClipboard()).toContain('"signing_secret":"REPLACE_ME"');
});

test("a gateway that comes back is not asked for another test event", async ({ relay, receiver, openConsole }) => {
  const { id } = await relay.createTarget(receiver, { name: "tested" });
  const { page, open } = await openConsole();
  await open(`/targets/${id}`, "tested");
  let tests = 0;
  page.on("request", (request) => {
    if (request.url().endsWith(":test")) tests++;
  });
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.getByText("The target took the event.").waitFor();
  await page.context().setOffline(true);
  await page.getByText("The gateway does not answer.").waitFor();
  // What the page shows is read again at once, and the test would be with it.
  const isRead = page.waitForResponse((response) => response.url().endsWith("/console/session"));
  await page.context().setOffline(false);
  await isRead;
  await page.getByText("The gateway does not answer.").waitFor({ state: "hidden" });
  expect(tests).toBe(1);
});
