// A key that may only read: it sees every screen, and each action there is disabled and says why.

import { expect } from "vitest";

import { until } from "../support/wait.ts";
import { consoleTest as test } from "./console.ts";

test("every action of every screen is disabled for a read key, with the reason, and calls nothing", async ({
  relay,
  receiver,
  openConsole,
}) => {
  const target = await relay.createTarget(receiver, { name: "billing" });
  const { webhookId } = await relay.sendEvent();
  const delivery = await until(
    async () => (await relay.call("GET", `/v1/deliveries?webhook_id=${webhookId}`)).data[0],
    { accept: (found) => found?.status === "succeeded" },
  );
  const sources: { id: string; name: string }[] = (await relay.call("GET", "/v1/sources")).data;
  const idOf = (name: string) => sources.find((one) => one.name === name)?.id ?? "";
  const operation = await relay.call("POST", "/v1/deliveries:cancel", { target: target.id });
  const { key } = await relay.call("POST", "/v1/keys", { name: "on call", scopes: ["read"] });

  const screens: [path: string, heading: string | RegExp, actions: string[]][] = [
    ["/", "Overview", []],
    ["/events", "Events", ["Replay matching…"]],
    [`/events/${delivery.event}`, "batch.succeeded", ["Replay…"]],
    ["/deliveries", "Deliveries", ["Retry matching…", "Cancel matching…"]],
    [`/deliveries/${delivery.id}`, /^Delivery of/, ["Retry now", "Cancel…"]],
    ["/live", "Live", []],
    ["/rejections", "Rejections", []],
    ["/targets", "Targets", ["New target"]],
    ["/targets/new", "New target", ["Make the target", "Try on the newest events"]],
    [`/targets/${target.id}`, "billing", ["Send a test", "Pause", "Edit", "Rotate the secret…", "Disable…", "Delete…"]],
    [`/targets/${target.id}/edit`, "Edit billing", ["Save", "Try on the newest events"]],
    ["/sources", "Sources", ["New source"]],
    ["/sources/new", "New source", ["Make the source"]],
    [`/sources/${idOf("gemini")}`, "gemini", ["Edit", "Rotate the secret…", "Delete…"]],
    [
      `/sources/${idOf("gemini-dynamic")}`,
      "gemini-dynamic",
      ["Edit", "Delete…", "Make a callback URL", "New ingress token"],
    ],
    [`/sources/${idOf("gemini")}/edit`, "Edit gemini", ["Save"]],
    ["/jobs", "Jobs", []],
    ["/operations", "Operations", []],
    [`/operations/${operation.id}`, "Cancel deliveries", ["Stop…"]],
    ["/set-aside", "Set aside", ["Retry all…"]],
    ["/system", "System", []],
  ];
  const { page, open } = await openConsole({ key });
  const changes: string[] = [];
  page.on("request", (request) => {
    if (request.method() !== "GET") changes.push(`${request.method()} ${request.url()}`);
  });
  for (const [path, heading, actions] of screens) {
    await open(path, heading);
    for (const action of actions) {
      const button = page.getByRole("main").getByRole("button", { name: action, exact: true });
      await button.waitFor();
      expect(await button.getAttribute("aria-disabled"), `${path}: ${action}`).toBe("true");
      expect(await button.getAttribute("title")).toBe("This needs the scope “write”. The key “on call” has: read.");
      // The reason is shown for seconds, which a busy machine may miss.
      await expect
        .poll(async () => {
          await button.click({ force: true });
          return page.getByRole("status").getByText("needs the scope “write”").count();
        })
        .toBeGreaterThan(0);
    }
    // No other button waits for a click that the relay would refuse.
    for (const button of await page.getByRole("main").locator("button.primary, button.danger").all()) {
      const name = (await button.textContent()) ?? "";
      if (name !== "Pause" || path !== "/live")
        expect(await button.getAttribute("aria-disabled"), `${path}: ${name}`).toBe("true");
    }
    expect(await page.getByRole("dialog").count()).toBe(0);
  }
  for (const [path, heading] of [
    ["/keys", "Keys"],
    ["/audit", "Audit"],
  ] as const) {
    await open(path, heading);
    await page.getByText("This screen is for admins.").waitFor();
  }
  expect(changes).toEqual([]);
  expect((await relay.call("GET", `/v1/targets/${target.id}`)).state).toBe("enabled");
});
