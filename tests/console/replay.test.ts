// Replaying all events that match in a browser: counted for each target before anything is sent, and confirmed by typing.

import { expect } from "vitest";

import { geminiEvent } from "../support/sign.ts";
import { until } from "../support/wait.ts";
import { findAxeFaults } from "./axe-faults.ts";
import { consoleTest as test } from "./console.ts";

test("all events that match are counted, confirmed by typing, and sent to the chosen target", async ({
  relay,
  receiver,
  openConsole,
}) => {
  const count = 105;
  for (let sent = 0; sent < count; sent += 35) {
    await Promise.all(Array.from({ length: 35 }, () => relay.sendEvent({ body: geminiEvent("batch.failed") })));
  }
  await relay.sendEvent({ body: geminiEvent("video.generated") });
  const total = async (query: string) => {
    let events = 0;
    for (let cursor = ""; ;) {
      const { data, next_cursor: next } = await relay.call("GET", `/v1/events?limit=250&${query}${cursor}`);
      events += data.length;
      if (next === null) return events;
      cursor = `&cursor=${next}`;
    }
  };
  await until(() => total("source=gemini"), { accept: (found) => found === count + 1 });
  const { id } = await relay.createTarget(receiver, { name: "archive" });
  await relay.createTarget(receiver, { name: "off", state: "disabled" });

  const { page, open } = await openConsole();
  await open("/events?event_type=batch.*&since=-1h", "Events");
  await page.getByRole("button", { name: "Replay matching…" }).click();
  const dialog = page.getByRole("dialog", { name: "Replay all events that match" });
  const start = dialog.getByRole("button", { name: /^Replay$|^Make \d+ deliver/ });
  expect(await start.getAttribute("title")).toBe("Choose a target.");
  expect(await dialog.getByLabel("off").isDisabled()).toBe(true);
  await dialog.getByLabel("archive").check();
  await dialog.getByText(`${count} events`).waitFor();
  await dialog.getByRole("row", { name: `archive ${count} 0 0` }).waitFor();

  expect(await findAxeFaults(page)).toEqual([]);

  // A faulty expression says so at its field, and a right one is counted before anything is sent.
  const filter = page.getByLabel("Filter (optional)");
  await filter.fill("event.type ==");
  await filter.press("Enter");
  await dialog.locator(".field", { has: filter }).locator(".fault").waitFor();
  await filter.fill('event.type == "video.generated"');
  await filter.press("Enter");
  await dialog.getByText("0 events").waitFor();
  expect(await start.getAttribute("title")).toBe("No target would get anything.");
  await filter.fill("");
  await filter.press("Enter");
  await dialog.getByRole("button", { name: `Make ${count} deliveries` }).waitFor();

  expect(await start.getAttribute("aria-disabled")).toBe("true");
  await dialog.getByLabel(`Type ${count} to confirm`).fill(String(count));
  await start.click();
  await page.getByRole("heading", { level: 1, name: "Replay events" }).waitFor();
  await page.locator(".page-head").getByText("succeeded", { exact: true }).waitFor();
  await page.getByRole("row", { name: new RegExp(`^archive ${count} `) }).waitFor();
  const requests = await receiver.waitFor(count, 120_000);
  expect(requests).toHaveLength(count);
  expect((await relay.call("GET", `/v1/deliveries?target=${id}&event_type=video.*`)).data).toEqual([]);
});

test("cancelling what is not pending is refused, instead of cancelling all that is", async ({
  relay,
  receiver,
  openConsole,
}) => {
  await relay.createTarget(receiver, { name: "held", state: "paused" });
  await relay.sendEvent();
  const { page, open } = await openConsole();
  await open("/deliveries?status=succeeded", "Deliveries");
  await page.getByRole("button", { name: "Cancel matching…" }).click();
  const dialog = page.getByRole("dialog", { name: "Cancel all that match" });
  await dialog.getByText("Only pending deliveries can be cancelled").waitFor();
  await dialog.getByRole("button", { name: "Cancel all" }).click({ force: true });
  expect(await dialog.isVisible()).toBe(true);
  expect((await relay.call("GET", "/v1/operations")).data.map(({ kind }: { kind: string }) => kind)).not.toContain(
    "cancel_deliveries",
  );
});
