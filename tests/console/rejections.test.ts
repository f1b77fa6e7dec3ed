// What an operator learns of refused requests in a browser: how many there were, why, and what to do about one of them.

import { expect } from "vitest";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { insertRejections, type NewRejection } from "@sluice/store/log/rejections";

import type { Relay } from "../support/relay.ts";
import { consoleTest as test } from "./console.ts";

async function refuse(relay: Relay, count: number, changes: Partial<NewRejection> = {}): Promise<string[]> {
  const { id: source } = (await relay.call("GET", "/v1/sources?name=gemini")).data[0];
  const { rows } = await relay.database.db.pool.query<{ id: string }>("SELECT id FROM sources WHERE name = 'gemini'");
  expect(formatId("src", rows[0]?.id ?? "")).toBe(source);
  const rejections = Array.from({ length: count }, () => ({
    id: newId(),
    sourceId: rows[0]?.id ?? "",
    reason: "signature_mismatch" as const,
    detail: "No signature matches <b>a secret</b> of the source",
    webhookId: `msg_${newId()}`,
    remoteAddress: "192.0.2.1",
    sizeBytes: 12,
    weight: 1,
    ...changes,
  }));
  await insertRejections(relay.database.db, rejections);
  return rejections.map(({ id }) => formatId("rej", id));
}

test("all refused requests of a day are counted, and by reason, however many lines the log has of them", async ({
  relay,
  openConsole,
}) => {
  await refuse(relay, 300);
  await refuse(relay, 1, { reason: "too_large", weight: 5_000 });
  const { page, open } = await openConsole();
  await open("/", "Overview");
  await page.getByRole("link", { name: "5,300 rejected in 24 hours" }).click();
  await page.getByRole("heading", { level: 1, name: "Rejections" }).waitFor();
  const reasons = page.locator(".reasons li");
  await reasons.filter({ hasText: "too large" }).getByText("5,000").waitFor();
  await reasons.filter({ hasText: "signature mismatch" }).getByText("300").waitFor();
  // Each reason says what to do, and leads to its rows.
  await reasons.filter({ hasText: "too large" }).getByText("MAX_BODY_BYTES").waitFor();
  await reasons.getByRole("link", { name: "too large" }).click();
  await page.getByText("1 shown, which is all").waitFor();
  expect(new URL(page.url()).search).toBe("?since=-24h&reason=too_large");
});

test("a refused request has a page, which any id leads to, with what to do and the way to others like it", async ({
  relay,
  openConsole,
}) => {
  const [id = ""] = await refuse(relay, 1, { remoteAddress: "192.0.2.77" });
  const { page, open } = await openConsole();
  await open("/rejections?remote_address=192.0.2.77", "Rejections");
  await page.getByRole("table", { name: "Rejections" }).getByRole("link").first().click();
  await page.getByRole("heading", { level: 1, name: "Refused: signature mismatch" }).waitFor();
  expect(page.url()).toContain(`/console/rejections/${id}`);
  await page.getByText("rotate or set its secret").waitFor();
  await page.getByText("No signature matches <b>a secret</b> of the source").waitFor();
  await page.getByRole("link", { name: "All from this address" }).click();
  await page.getByText("1 shown, which is all").waitFor();
  await open(`/go/${id}`, "Refused: signature mismatch");
});

test("a page that ended before the list did says how far it searched, which is not the same as nothing", async ({
  relay,
  openConsole,
}) => {
  await refuse(relay, 1, { detail: "the rare one" });
  // A page reads 2,000 entries of an index at most.
  await refuse(relay, 2_500);
  const { page, open } = await openConsole();
  await open("/rejections?error=the%20rare%20one", "Rejections");
  await page.getByText(/^0 shown, searched back to .*\d\d:\d\d/).waitFor();
  expect(await page.getByText("Nothing matches.").count()).toBe(0);
  await page.getByRole("button", { name: "Search further back" }).click();
  await page.getByText("1 shown, which is all").waitFor();
  await page.getByLabel("Detail has").fill("what nobody wrote");
  await page.getByLabel("Detail has").press("Enter");
  await page.getByRole("button", { name: "Search further back" }).click();
  await page.getByText("Nothing matches.").waitFor();
});
