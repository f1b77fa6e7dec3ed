// console: how long the console takes with ten million deliveries in the log, from the click to what is seen; and what Live costs
// the browser at 500 events a second.

import { type Browser, chromium, type Page } from "playwright-core";

import { findChromium } from "../../tests/support/chromium.ts";
import { fillStats } from "../fill-stats.ts";
import { median } from "../machine.ts";
import type { Rig } from "../rig.ts";
import type { Bench, Figure, Row } from "../row.ts";
import { openFilledLog } from "./log.ts";

const LISTS = ["Events", "Deliveries", "Rejections", "Targets", "Sources", "Jobs", "Keys", "Operations", "Audit"];
/** Filters that an operator uses, as the address has them. */
const FILTERS = [
  "/deliveries?status=exhausted",
  "/deliveries?status=exhausted&since=-24h",
  "/deliveries?data_id=batch_4711",
  "/deliveries?status_code=418",
  "/events?event_type=batch.expired",
  "/events?label=team:legal",
  "/rejections?reason=too_large",
];
const RANGES = ["1 hour", "24 hours", "7 days", "30 days"];
const ROUNDS = 5;
const LIST_MS = 300;
const OVERVIEW_MS = 500;
const LIVE_PER_SECOND = 500;
const LIVE_MS = 300_000;
const HEAP_EVERY_MS = 30_000;
const LONG_TASK_MS = 100;
const GIVE_UP_MS = 20_000;

export const consoleRow: Row = {
  name: "console",
  about:
    "the console in a browser: lists, filters and charts of ten million deliveries, and Live at 500 events a second",
  run: async (bench) => {
    const executablePath = findChromium();
    if (executablePath === undefined) {
      bench.progress("skipped: there is no chromium on PATH");
      return [];
    }
    const { rig, database } = await openFilledLog(bench);
    const browser = await chromium.launch({ executablePath, chromiumSandbox: false });
    try {
      if ((await rig.query("SELECT FROM stats LIMIT 1")).length === 0) await fillStats(database);
      const gateway = await rig.startGateway();
      await rig.startWorker();
      const page = await signIn(browser, rig);
      bench.progress("lists, filters and charts");
      const figures = await measureScreens(page, bench.quick ? 1 : ROUNDS);
      await rig.createTarget(`${bench.receiver.url}/1`);
      bench.progress(`Live at ${LIVE_PER_SECOND} events a second`);
      return [...figures, ...(await measureLive(page, bench, gateway.url))];
    } finally {
      await browser.close();
      await database.close();
      await rig.close();
    }
  },
};

async function signIn(browser: Browser, rig: Rig): Promise<Page> {
  const { url, key } = rig.api();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, baseURL: url });
  const page = await context.newPage();
  await page.goto("/console/system");
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#main").waitFor();
  return page;
}

/** From a click to the frame after which a condition holds, in milliseconds, measured in the page. */
async function timeClick(page: Page, click: string, isDone: string): Promise<number> {
  const ms = await page.evaluate<number | null>(`new Promise((resolve) => {
    const startedMs = performance.now();
    (${click}).click();
    const look = () => {
      if (${isDone}) requestAnimationFrame(() => resolve(performance.now() - startedMs));
      else if (performance.now() - startedMs > ${GIVE_UP_MS}) resolve(null);
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  })`);
  if (ms === null) throw new Error(`The console does not show ${page.url()} within ${GIVE_UP_MS / 1_000} s: ${isDone}`);
  return ms;
}

const hasList = (title: string) =>
  `document.querySelector("main h1")?.textContent === ${JSON.stringify(title)} && !document.querySelector("main .skeleton") &&
   document.querySelector("main tbody tr, main .empty, main .list-end") !== null`;
const CHARTS = `document.querySelectorAll("main .uplot canvas").length === 4 && !document.querySelector("main [aria-busy=true]")`;
const navLink = (label: string) =>
  `[...document.querySelectorAll("nav.side a")].find((link) => link.textContent === ${JSON.stringify(label)})`;

async function measureScreens(page: Page, rounds: number): Promise<Figure[]> {
  const times: Record<string, number[]> = {};
  const note = (what: string, ms: number) => (times[what] ??= []).push(ms);
  for (let round = 0; round < rounds; round++) {
    // A new page has nothing in its memory.
    await page.goto("/console/system");
    await page.locator("main h1").waitFor();
    for (const label of LISTS) note(label, await timeClick(page, navLink(label), hasList(label)));
    for (const path of FILTERS) {
      const address = JSON.stringify(`/console${path}`);
      const link = `Object.assign(document.createElement("a"), { click: () => { history.pushState(null, "", ${address}); dispatchEvent(new PopStateEvent("popstate")); } })`;
      const title = path.startsWith("/events")
        ? "Events"
        : path.startsWith("/rejections")
          ? "Rejections"
          : "Deliveries";
      note(path, await timeClick(page, link, `location.search !== "" && ${hasList(title)}`));
    }
    note("Overview", await timeClick(page, navLink("Overview"), CHARTS));
    for (const range of RANGES) {
      const tab = `[...document.querySelectorAll("main .page-head a, main .page-head button")].find((one) => one.textContent === ${JSON.stringify(range)})`;
      note(`Overview, ${range}`, await timeClick(page, tab, CHARTS));
    }
  }
  return Object.entries(times).map(([what, all]) => ({
    what,
    value: median(all),
    unit: "ms",
    aim: { atMost: what.startsWith("Overview") ? OVERVIEW_MS : LIST_MS },
  }));
}

async function measureLive(page: Page, bench: Bench, ingressUrl: string): Promise<Figure[]> {
  const forMs = bench.quick ? 1_000 : LIVE_MS;
  const session = await page.context().newCDPSession(page);
  await page.goto("/console/live");
  await page.getByText("connected", { exact: true }).waitFor();
  await page.evaluate(`globalThis.longTasks = []; new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) globalThis.longTasks.push(entry.duration);
  }).observe({ type: "longtask" }); undefined`);
  const readHeapMiB = async () => {
    await session.send("HeapProfiler.collectGarbage");
    return (await session.send("Runtime.getHeapUsage")).usedSize / 1024 / 1024;
  };
  const heaps: number[] = [];
  const sending = bench.generator.run({
    urls: [ingressUrl],
    bodyBytes: 200,
    pace: { kind: "open", perSecond: LIVE_PER_SECOND },
    until: { kind: "ms", ms: forMs },
  });
  const sent = sending.then(() => true);
  const pause = () => page.waitForTimeout(HEAP_EVERY_MS).then(() => false);
  do heaps.push(await readHeapMiB());
  while (!(await Promise.race([sent, pause()])));
  heaps.push(await readHeapMiB());
  // The collections of garbage above are ours, and are no tasks of the page.
  const tasks = await page.evaluate<number[]>("globalThis.longTasks");
  // The first half minute fills the list.
  const [settled = 0] = heaps.slice(Math.min(1, heaps.length - 1));
  return [
    { what: "Live, longest task", value: Math.max(0, ...tasks), unit: "ms", aim: { atMost: LONG_TASK_MS } },
    { what: "Live, tasks above 50 ms", value: tasks.length, unit: "" },
    {
      what: "Live, heap at the end",
      value: heaps.at(-1) ?? 0,
      unit: "MiB",
      digits: 1,
      ratio: (heaps.at(-1) ?? 0) / settled,
    },
  ];
}
