// `npm run pictures` takes the pictures of docs/console: each screen, in both themes, on a desk and on a phone.

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { test as base } from "vitest";

import type { Relay } from "../support/relay.ts";
import { runSql } from "../support/sql.ts";
import { until } from "../support/wait.ts";
import { consoleTest, settle } from "./console.ts";
import { fillConsole, screensOf } from "./fill-console.ts";

const directory = process.env["SLUICE_PICTURES"];
const SIZES = { desk: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

/** Gives the charts a day: what was counted of the last minute, more by day and less by night. */
async function inventYesterday(relay: Relay): Promise<void> {
  const count = async () => (await relay.call("GET", "/v1/stats?group_by=none")).data[0]?.events ?? 0;
  await until(count, { accept: (events) => events >= 40 });
  const { url } = relay.database;
  const load = "(1 + 8 * (1 + sin(n / 22.0)) + 4 * random())";
  await runSql(
    url,
    `INSERT INTO stats SELECT resolution, cut, start - n * interval '10 minutes', target_id, source_id, event_type,
       events * ${load}, deliveries * ${load}, succeeded * ${load}, exhausted * random(), cancelled, retried,
       attempts_succeeded * ${load}, attempts_failed * random() * 2, latency
     FROM stats, generate_series(1, 143) n WHERE resolution = 'minute' ON CONFLICT DO NOTHING`,
  );
  await runSql(
    url,
    `INSERT INTO waiting_samples SELECT 'minute', date_trunc('minute', now()) - n * interval '10 minutes', id, 1,
       ${load} * 5, ${load} * 20 FROM (SELECT id FROM targets UNION ALL SELECT NULL) t, generate_series(1, 143) n
     ON CONFLICT DO NOTHING`,
  );
}

if (directory === undefined) {
  base.skip("the pictures of docs/console, which `npm run pictures` takes");
} else {
  consoleTest("the pictures of docs/console", async ({ relay, receiver, openConsole }) => {
    mkdirSync(directory, { recursive: true });
    const screens = screensOf(await fillConsole(relay, receiver));
    await inventYesterday(relay);
    for (const colorScheme of ["light", "dark"] as const) {
      for (const [size, viewport] of Object.entries(SIZES)) {
        const { page, open } = await openConsole({ key: relay.apiKey, colorScheme, viewport });
        const take = (name: string) => page.screenshot({ path: join(directory, `${name}-${size}-${colorScheme}.png`) });
        for (const [name, path] of screens) {
          await open(path);
          await settle(page);
          if (name === "live") {
            for (let sent = 0; sent < 4; sent++) await relay.sendEvent();
            await page
              .getByRole("row", { name: /succeeded/ })
              .first()
              .waitFor();
          }
          await take(name);
        }
        await page.context().clearCookies();
        await open("/");
        await page.getByLabel("API key").waitFor();
        await take("sign-in");
      }
    }
  });
}
