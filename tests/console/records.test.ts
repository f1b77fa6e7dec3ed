// Operations, events that were set aside, and the audit trail in a browser.

import { expect, onTestFinished } from "vitest";

import { openQueue } from "../support/queue.ts";
import { makeQueuedEvent } from "../support/seed.ts";
import { runSql } from "../support/sql.ts";
import { until } from "../support/wait.ts";
import { consoleTest as test } from "./console.ts";

test("events that could not be stored are tried once more, or discarded for good", async ({
  relay,
  receiver,
  openConsole,
}) => {
  const { producer } = await openQueue(relay);
  await relay.createTarget(receiver);
  const template = await relay.sendEvent();
  await receiver.waitFor(1, 120_000);
  const sql = (text: string, values?: unknown[]) => runSql(relay.database.url, text, values);
  await sql("ALTER TABLE event_keys ADD CONSTRAINT poison CHECK (webhook_id NOT LIKE 'msg_poison%')");
  const [row] = await sql("SELECT source_id FROM event_keys WHERE webhook_id = $1", [template.webhookId]);
  const body = Buffer.from('{"type":"batch.succeeded","data":{"id":"<i>kept</i>"}}').toString("base64");
  const events = ["msg_poison_kept", "msg_poison_discarded"].map((webhookId) =>
    makeQueuedEvent({ sourceId: String(row?.["source_id"]), webhookId, body }),
  );
  await producer.add("intake", { events });
  const listSetAside = async (): Promise<{ id: string; webhook_id: string }[]> =>
    (await relay.call("GET", "/v1/set-aside-events")).data;
  const listed = await until(listSetAside, { accept: (found) => found.length === 2 });
  const idOf = (webhookId: string) => listed.find((one) => one.webhook_id === webhookId)?.id ?? "";
  const kept = idOf("msg_poison_kept");
  const discarded = idOf("msg_poison_discarded");

  const { page, open } = await openConsole();
  await open("/");
  await page.getByRole("link", { name: /^2 set aside/ }).click();
  await page.getByRole("link", { name: discarded }).click();
  await page.getByText("poison").first().waitFor();
  await page.getByRole("region", { name: "Body" }).getByText("<i>kept</i>").waitFor();
  await page.getByRole("button", { name: "Discard…" }).click();
  const dialog = page.getByRole("dialog", { name: "Discard this event for good" });
  const discard = dialog.getByRole("button", { name: "Discard it" });
  expect(await discard.getAttribute("aria-disabled")).toBe("true");
  await dialog.getByLabel(`Type ${discarded} to confirm`).fill(discarded);
  await discard.click();
  await page.getByRole("heading", { level: 1, name: "Set aside" }).waitFor();
  await page.getByText("1 shown, which is all").waitFor();

  await sql("ALTER TABLE event_keys DROP CONSTRAINT poison");
  await page.getByRole("link", { name: kept }).click();
  await page.getByRole("button", { name: "Try once more" }).click();
  await page.getByText("Nothing is set aside.").waitFor();
  const requests = await receiver.waitFor(2, 120_000);
  expect(requests[1]?.headers["webhook-id"]).toBe("msg_poison_kept");
});

test("an entry of the audit trail shows each field before and after", async ({ relay, receiver, openConsole }) => {
  const { id } = await relay.createTarget(receiver, { name: "before" });
  await relay.call("PATCH", `/v1/targets/${id}`, { name: "after", max_in_flight: 7 });
  const { page, open } = await openConsole();
  await open(`/audit?resource=${id}`, "Audit");
  const entry = page.getByRole("row", { name: /target\.update/ });
  await entry.getByText("max_in_flight").waitFor();
  await entry.getByRole("link").click();
  await page.getByRole("heading", { level: 1, name: "target.update" }).waitFor();
  const fields = page.getByRole("table", { name: "Fields before and after" });
  await fields.getByRole("row", { name: "name before after" }).waitFor();
  await fields.getByRole("row", { name: "max_in_flight 64 7" }).waitFor();
  expect(await fields.getByRole("row", { name: /^uri/ }).count()).toBe(0);
  await page.getByRole("button", { name: /that stayed the same/ }).click();
  await fields.getByRole("row", { name: /^uri/ }).waitFor();
  await page.getByRole("link", { name: id }).click();
  await page.getByRole("heading", { level: 1, name: "after" }).waitFor();
});

test("an operation that runs is stopped, and what it has not done stays as it was", async ({
  relay,
  receiver,
  openConsole,
}) => {
  receiver.answerWith(() => ({ status: 422 }));
  const target = await relay.createTarget(receiver, {
    name: "stopped",
    retry: { base_seconds: 0.5, cap_seconds: 0.5, horizon_seconds: 1 },
  });
  await relay.sendEvent();
  const list = async () => (await relay.call("GET", `/v1/deliveries?target=${target.id}&status=exhausted`)).data;
  await until(list, { accept: (found) => found.length === 1 });
  // Without a worker, the operation makes no step.
  await relay.stopWorker();
  const { page, open } = await openConsole();
  await open(`/deliveries?status=exhausted&target=${target.id}`, "Deliveries");
  await page.getByRole("button", { name: "Retry matching…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Retry 1 delivery" }).click();
  await page.getByRole("heading", { level: 1, name: "Retry deliveries" }).waitFor();
  const state = page.locator(".page-head .badge");
  await state.getByText("running").waitFor();

  await page.getByRole("link", { name: "Operations", exact: true }).click();
  await page
    .getByRole("row", { name: /running/ })
    .getByRole("link")
    .click();
  const stop = page.getByRole("button", { name: "Stop…" });
  await stop.click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop it" }).click();
  await state.getByText("cancelled").waitFor();
  expect(await stop.getAttribute("title")).toBe("It has ended already.");
  await page.getByText("Show the deliveries that match these filters now").click();
  await page.getByText("1 shown, which is all").waitFor();

  const worker = await relay.startWorker();
  onTestFinished(() => worker.stop());
  await relay.sendEvent();
  // The delivery of the new event fails, and the one before it is not tried again.
  await until(list, { accept: (found) => found.length === 2 });
  const [newer, older] = await list();
  expect(older.finished_at < newer.created_at).toBe(true);
});
