// The log of a failed query has a test of its own in packages/store.

import { expect, test } from "vitest";

import { openLog } from "./log.ts";

function logged(error: unknown) {
  const lines: string[] = [];
  openLog("gateway", "info", { write: (line) => void lines.push(line) }).error({ err: error }, "failed");
  const [text = ""] = lines;
  return { text, err: JSON.parse(text).err };
}

test("the log has the message, code, stack and cause of an error, and no other member", () => {
  const error = Object.assign(new Error("it broke", { cause: new Error("the disk") }), { code: "EIO", detail: "row" });
  const { text, err } = logged(error);
  expect(err).toMatchObject({ type: "Error", message: "it broke", code: "EIO", cause: { message: "the disk" } });
  expect(err.stack).toContain("Error: it broke\n");
  expect(text).not.toContain("row");
  expect(logged("a string").err).toBe("a string");
});
