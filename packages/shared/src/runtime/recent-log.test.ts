import { expect, test } from "vitest";

import { openLog } from "./log.ts";
import { RecentLog } from "./recent-log.ts";

function openRecent() {
  const recent = new RecentLog();
  const lines: string[] = [];
  return { recent, lines, log: openLog("gateway", "trace", { write: (line) => void lines.push(line) }, recent) };
}

test("warnings and errors are kept with their fields, also those of a child, and everything goes to the log", () => {
  const { recent, lines, log } = openRecent();
  log.info("not kept");
  log.warn({ store: "redis" }, "it is away");
  log.child({ part: 1 }).error({ err: new Error("it broke") }, "failed");
  expect(lines).toHaveLength(3);
  expect(recent.read()).toEqual([
    { time: expect.any(String), level: "warn", message: "it is away", fields: { store: "redis" } },
    {
      time: expect.any(String),
      level: "error",
      message: "failed",
      fields: { part: 1, err: expect.objectContaining({ message: "it broke" }) },
    },
  ]);
});

test("the latest 200 lines are kept, and a long line loses its fields", () => {
  const { recent, log } = openRecent();
  for (let count = 0; count < 250; count++) log.warn(`line ${count}`);
  expect(recent.read().map(({ message }) => message)).toEqual(
    Array.from({ length: 200 }, (_, at) => `line ${at + 50}`),
  );
  log.warn({ much: "x".repeat(20_000) }, "long");
  expect(recent.read().at(-1)).toMatchObject({ level: "warn", message: "long", fields: { is_cut: true } });
});

test("a secret that was passed to the log by mistake is redacted here, too", () => {
  const { recent, log } = openRecent();
  log.error({ secret: "whsec_abc", authorization: "Bearer abc" }, "a mistake");
  expect(JSON.stringify(recent.read())).not.toContain("abc");
});
