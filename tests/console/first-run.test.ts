// A new relay in a browser: from the link that signs in, along the first steps, to the sight of the first event.

import { expect } from "vitest";

import { until } from "../support/wait.ts";
import { consoleTestWith } from "./console.ts";

/** The source `gemini` has no secret yet, as on a relay that nobody has set up. */
const test = consoleTestWith({ GEMINI_SIGNING_SECRET: "" });

test("the first steps lead from the link of a one-time code to the first event, and tick themselves off", async ({
  relay,
  receiver,
  openConsole,
}) => {
  const { code } = await relay.call("POST", "/console/codes", { valid_seconds: 600 });
  const { page } = await openConsole({});
  const link = `${relay.apiUrl}/console/sign-in#${new URLSearchParams({ code }).toString()}`;
  await page.goto(link);
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  expect(page.url()).not.toContain(code);

  const steps = page.getByRole("listitem").filter({ has: page.locator(".step-mark") });
  const step = (title: string) => steps.filter({ hasText: title });
  const waitUntilDone = (title: string) => step(title).filter({ hasText: "– done" }).waitFor();
  const backToOverview = () => page.getByRole("link", { name: "Overview", exact: true }).click();
  await steps.nth(3).waitFor();
  expect(await steps.filter({ hasText: "– done" }).count()).toBe(0);

  await step("Give a source its signing secret").getByRole("link", { name: "Open the source gemini" }).click();
  await page.getByRole("button", { name: "Set the secret…" }).click();
  await page.getByRole("dialog").getByLabel("Secret of your own (optional)").fill(relay.secret);
  await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
  await page.getByText("The source has a signing secret.").waitFor();
  await backToOverview();
  await waitUntilDone("Give a source its signing secret");
  expect(await steps.filter({ hasText: "– done" }).count()).toBe(1);

  await step("Make a target").getByRole("link", { name: "Make a target" }).click();
  await page.getByLabel("URL", { exact: true }).fill(receiver.url);
  await page.getByLabel("Name (optional)").fill("billing");
  await page.getByRole("button", { name: "Make the target" }).click();
  await page.getByRole("button", { name: "I have stored it" }).click();
  await page.getByRole("heading", { level: 1, name: "billing" }).waitFor();
  await backToOverview();
  await waitUntilDone("Make a target");

  await step("Deliver a test").getByRole("link", { name: "Test billing" }).click();
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.getByText("The target took the event.").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  await backToOverview();
  await waitUntilDone("Deliver a test");
  expect(await steps.filter({ hasText: "– done" }).count()).toBe(3);

  // The gateway may learn of the new secret a moment later. Until then it asks Gemini to come back.
  await until(() => relay.sendEvent());
  await receiver.waitFor(2);
  await page.getByRole("heading", { name: "First steps" }).waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Events", exact: true }).click();
  await page.getByRole("row", { name: /batch\.succeeded/ }).waitFor();
  await page.reload();
  await page.getByRole("row", { name: /batch\.succeeded/ }).waitFor();
});

test("the link of a one-time code signs in once", async ({ relay, openConsole }) => {
  const { code } = await relay.call("POST", "/console/codes", { valid_seconds: 600 });
  const link = `${relay.apiUrl}/console/sign-in#${new URLSearchParams({ code, to: "/console/targets" }).toString()}`;
  const first = await openConsole({});
  await first.page.goto(link);
  await first.page.getByRole("heading", { level: 1, name: "Targets" }).waitFor();
  const second = await openConsole({});
  await second.page.goto(link);
  await second.page.getByText("unauthenticated").waitFor();
  await second.page.getByLabel("API key").waitFor();
});
