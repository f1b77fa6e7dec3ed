import { expect, test } from "vitest";

import { openLog } from "@sluice/shared/runtime/log";

import { strayLog } from "./stray-log.ts";

test("logs a path at most once a second, with the number of those it left out, and no token", () => {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  let nowMs = 0;
  const logStray = strayLog(openLog("gateway", "info", { write }), () => nowMs);
  logStray("/in/geminy");
  logStray("/in/other");
  logStray("/in/other");
  nowMs = 1_000;
  logStray(`/in/x/it_secret/${"a".repeat(65)}`);
  expect(lines).toMatchObject([{ path: "/in/geminy" }, { path: "/in/x/[redacted]/[redacted]", unlogged: 2 }]);
  expect(lines[0]).not.toHaveProperty("unlogged");
});
