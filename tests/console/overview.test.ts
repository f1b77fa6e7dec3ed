// The first page of the console in a browser: figures that lead to what they count, and charts that are drawn.

import type { Page } from "playwright-core";
import { expect } from "vitest";

import { sampleWaiting } from "@sluice/store/journal/waiting-samples";

import { makeFailingPullTarget } from "../support/failing-pull-target.ts";
import { runSql } from "../support/sql.ts";
import { until } from "../support/wait.ts";
import { consoleTest as test } from "./console.ts";

const CHARTS = ["Events by type", "Attempts", "Time of an attempt", "Waiting deliveries"];

/** Whether a chart has drawn something in the colour of one of its series, as its legend has it. */
const isDrawn = (page: Page, title: string) =>
  page
    .locator(".panel", { has: page.getByRole("img", { name: `${title}, as a chart` }) })
    .evaluate((panel: PanelLike) => {
      const [canvas] = panel.querySelectorAll("canvas");
      const marks = [...panel.querySelectorAll(".legend-mark")];
      const { width, height } = canvas ?? { width: 0, height: 0 };
      if (canvas === undefined || width === 0 || marks.length === 0) return false;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      const drawn = new Set<string>();
      for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] === 255) drawn.add(`rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`);
      }
      return marks.some((mark) => drawn.has(mark.computedStyleMap().get("background-color").toString()));
    });

/** What this test needs of a page's elements. The types of Node have none of them. */
interface PanelLike {
  querySelectorAll: ((css: "canvas") => Iterable<CanvasLike>) & ((css: ".legend-mark") => Iterable<MarkLike>);
}

interface MarkLike {
  computedStyleMap: () => { get: (name: "background-color") => { toString: () => string } };
}

interface CanvasLike {
  width: number;
  height: number;
  getContext: (kind: "2d") => {
    getImageData: (x: number, y: number, width: number, height: number) => { data: Uint8ClampedArray };
  };
}

const hourAgo = () => new Date(Date.now() - 3_600_000).toISOString();

test("the overview says what was given up and draws what happened, over the range of the address", async ({
  relay,
  receiver,
  openConsole,
}) => {
  receiver.answerWith(({ path }) => ({ status: path === "/bad" ? 422 : 200 }));
  const { origin } = new URL(receiver.url);
  const retry = { base_seconds: 0.5, cap_seconds: 0.5, horizon_seconds: 1 };
  await relay.createTarget(receiver, { name: "well" });
  await relay.createTarget(receiver, { name: "unwell", uri: `${origin}/bad`, retry });
  await relay.createTarget(receiver, { name: "held", state: "paused" });
  for (let sent = 0; sent < 3; sent++) await relay.sendEvent();
  await until(async () => (await relay.call("GET", "/v1/deliveries?status=exhausted")).data, {
    accept: (found) => found.length === 3,
  });
  // A worker counts the figures every few seconds.
  await until(async () => (await relay.call("GET", `/v1/stats?group_by=none&since=${hourAgo()}`)).data, {
    accept: (rows: { deliveries: { exhausted: number } }[]) =>
      rows.reduce((sum, { deliveries }) => sum + deliveries.exhausted, 0) === 3,
  });
  // A worker takes a sample each minute, and took that of this minute when it started. Nothing waited then.
  await runSql(relay.database.url, "DELETE FROM waiting_samples");
  await sampleWaiting(relay.database.db);

  const { page, open } = await openConsole();
  await open("/", "Overview");
  await page.getByText("The relay takes events and delivers them.").waitFor();
  await page.getByText("not well").waitFor();
  await page.getByRole("listitem").filter({ hasText: "held" }).getByText("paused").waitFor();
  const figure = page.getByRole("link", { name: /^3 exhausted in 24 hours/ });
  await figure.waitFor();
  await page.getByRole("link", { name: /^3 waiting now/ }).waitFor();

  await page.getByRole("link", { name: "1 hour" }).click();
  await page.waitForURL("**/console/?range=1h");
  for (const title of CHARTS) {
    await expect.poll(() => isDrawn(page, title), { message: title }).toBe(true);
  }
  await page.reload();
  await expect.poll(() => page.getByRole("link", { name: "1 hour" }).getAttribute("aria-current")).not.toBeNull();
  // Who cannot see a chart reads its figures.
  const attempts = page.locator(".panel").filter({ has: page.getByRole("heading", { name: "Attempts", exact: true }) });
  await attempts.getByText("As a table").click();
  await attempts
    .getByRole("row", { name: / [1-9]\d*$/ })
    .first()
    .waitFor();

  await figure.click();
  await page.getByRole("heading", { level: 1, name: "Deliveries" }).waitFor();
  expect(new URL(page.url()).search).toBe("?status=exhausted&since=-24h");
  await page.getByText("3 shown, which is all").waitFor();
  await page.goBack();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  expect(new URL(page.url()).search).toBe("?range=1h");
});

test("charts are drawn anew in the colours of another theme", async ({ relay, openConsole }) => {
  await relay.sendEvent();
  const { page, open } = await openConsole({ key: relay.apiKey, colorScheme: "dark" });
  await open("/?range=1h", "Overview");
  const chart = page.getByRole("img", { name: "Events by type, as a chart" }).locator("canvas");
  const draw = () => chart.evaluate((canvas: { toDataURL: () => string }) => canvas.toDataURL());
  await chart.waitFor();
  const dark = await draw();
  await page.getByRole("button", { name: /^Theme: system/ }).click();
  await expect.poll(draw).not.toBe(dark);
});

test("a pull target whose service reports only failures is named, although no breaker opens", async ({
  relay,
  openConsole,
}) => {
  await makeFailingPullTarget(relay, "batch-import");
  const { page, open } = await openConsole();
  await open("/", "Overview");
  const line = page.getByRole("listitem").filter({ hasText: "batch-import" });
  await line.getByText("reports failures").waitFor();
  // The first steps have a link that tests it.
  await line.getByRole("link", { name: "batch-import", exact: true }).click();
  await page.getByText("every report of the last hour was a failure").waitFor();
  await open("/targets", "Targets");
  await page.getByRole("row", { name: /batch-import reports failures/ }).waitFor();
});
