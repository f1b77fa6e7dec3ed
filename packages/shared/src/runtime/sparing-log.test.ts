import { expect, test } from "vitest";

import { openLog } from "./log.ts";
import { limitRepeats, sparing } from "./sparing-log.ts";

const away = () => Object.assign(new Error("no"), { code: "ECONNREFUSED" });

function openTestLog() {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  return { log: openLog("gateway", "info", { write }), lines };
}

test("a failure of hours is one line a minute, and the lines count the repeats", () => {
  const { log, lines } = openTestLog();
  let nowMs = 0;
  const limited = limitRepeats(log, () => nowMs);
  let calls = 0;
  for (; nowMs < 2 * 3_600_000; nowMs += 500) {
    limited.warn({ err: away() }, "waiting");
    calls += 1;
  }
  expect(lines).toHaveLength(120);
  const counted = lines.reduce((sum, { repeats }) => sum + 1 + Number(repeats ?? 0), 0);
  // The repeats since the last line are not logged yet.
  expect(calls - counted).toBe(119);
  expect(lines[1]).toMatchObject({ level: "warn", msg: "waiting", repeats: 119, err: { code: "ECONNREFUSED" } });
});

test("another message, another code or another level has lines of its own", () => {
  const { log, lines } = openTestLog();
  const limited = sparing(log);
  for (let i = 0; i < 3; i++) {
    limited.warn({ err: away() }, "waiting");
    limited.warn({ err: new Error("query failed", { cause: away() }) }, "waiting");
    limited.warn({ err: Object.assign(new Error("no"), { code: "28P01" }) }, "waiting");
    limited.warn({ err: away() }, "polling");
    limited.error({ err: away() }, "waiting");
  }
  expect(lines).toHaveLength(4);
  // Another caller with the same logger shares the lines.
  sparing(log).warn({ err: away() }, "waiting");
  expect(lines).toHaveLength(4);
});
