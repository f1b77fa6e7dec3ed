// The reference page in a browser, as a person uses it: authorize, open an endpoint, "Try it out", "Execute".

import { expect, onTestFinished } from "vitest";

import { closeServer, listen } from "@sluice/shared/runtime/http-server";

import { type DescribedEndpoint, endpointsOf } from "../../../../../tests/support/api/described-endpoints.ts";
import {
  openPreparedApi,
  prepareEndpoint,
  type PreparedRequest,
} from "../../../../../tests/support/api/prepared-endpoints.ts";
import { ADMIN_KEY, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { openPage } from "../../../../../tests/support/browser.ts";
import { findChromium } from "../../../../../tests/support/chromium.ts";
import { openServer } from "../../http/server.ts";
import { createApi } from "../api.ts";
import { createDocument } from "./document.ts";

/** Deletions come last. */
const ORDER = ["get", "post", "patch", "put", "delete"];

const rankOf = ({ tags: [tag = ""] = [], method }: DescribedEndpoint) => `${tag} ${ORDER.indexOf(method)}`;
/** For one step of the page, and for all of them, on a busy machine. On an idle one, the test takes a minute. */
const STEP_MS = 120_000;
const TIMEOUT_MS = 1_500_000;

type Page = Awaited<ReturnType<typeof openPage>>;

async function openApi(base: TestApi) {
  const api = await openPreparedApi(base);
  const app = createApi(api);
  const { server } = openServer(app.fetch, api.log);
  const url = await listen(server, { host: "127.0.0.1", port: 0 }, "API_PORT");
  onTestFinished(() => closeServer(server, 0));
  const endpoints = endpointsOf(createDocument(app));
  return { api, url, endpoints: endpoints.toSorted((one, two) => rankOf(one).localeCompare(rankOf(two))) };
}

async function authorize(page: Page): Promise<void> {
  await page.locator(".auth-wrapper .btn.authorize").click();
  const form = page.locator(".auth-container").first();
  await form.locator("input").fill(ADMIN_KEY);
  await form.locator(".btn.authorize").click();
  await page.locator(".btn-done").first().click();
}

/** @returns the status and the text of the answer that the page shows. */
async function tryOut(page: Page, { operationId = "" }: DescribedEndpoint, { parts, body }: PreparedRequest) {
  const block = page.locator(`.opblock[id$="-${operationId}"]`);
  // No click by mouse: it waits until the page stands still, which takes most of the time.
  const press = (name: string) => block.locator(name).dispatchEvent("click");
  await press(".opblock-summary-control");
  await press(".try-out__btn");
  for (const [name, value] of Object.entries(parts)) {
    const input = block.locator(`tr[data-param-name="${name}"][data-param-in="path"] input`);
    await input.fill(value);
    // The page takes a text when nothing was typed for a while, or when the field is left.
    await input.blur();
  }
  if (body !== undefined) await block.locator("textarea.body-param__text").fill(JSON.stringify(body));
  await press(".btn.execute");
  const answer = block.locator(".live-responses-table .response").first();
  const status = Number.parseInt(await answer.locator(".response-col_status").innerText(), 10);
  const text = await answer.locator(".response-col_description").innerText();
  await press(".opblock-summary-control");
  return { status, text };
}

test(
  "every endpoint works with what the page fills in, and the ids of resources",
  async ({ api: base, skip }) => {
    const chromium = findChromium();
    if (chromium === undefined) return skip("there is no chromium on PATH");
    const { api, url, endpoints } = await openApi(base);
    const page = await openPage(chromium, `${url}/docs`);
    page.setDefaultTimeout(STEP_MS);
    await authorize(page);
    const failed: string[] = [];
    let shown: string | undefined;
    for (const endpoint of endpoints) {
      const [tag = ""] = endpoint.tags ?? [];
      // The page is slow while it holds all endpoints.
      if (tag !== shown) await page.locator(".operation-filter-input").fill(tag);
      shown = tag;
      const { status, text } = await tryOut(page, endpoint, await prepareEndpoint(api, endpoint));
      if (status < 200 || status >= 300) failed.push(`${endpoint.method} ${endpoint.path}: ${status} ${text}`);
      if (endpoint.path === "/v1/tail") expect(text).toContain("retry:");
    }
    expect(failed).toEqual([]);
    expect(endpoints.length).toBeGreaterThan(80);
  },
  TIMEOUT_MS,
);
