import { expect, test } from "vitest";

import { findSourceId } from "@sluice/store/configuration/sources";
import { openDatabase } from "@sluice/store/connection/database";

import { openLog } from "./log.ts";

function logged(error: unknown) {
  const lines: string[] = [];
  openLog("gateway", "info", { write: (line) => void lines.push(line) }).error({ err: error }, "failed");
  const [text = ""] = lines;
  return { text, err: JSON.parse(text).err };
}

test("the log says where and why a query failed, and has none of its parameters", async () => {
  const db = openDatabase({
    url: "postgres://nobody@127.0.0.1:1/none",
    applicationName: "sluice-test",
    maxConnections: 1,
    onError: () => {},
  });
  const error: unknown = await findSourceId(db, "a\n    at parameter").catch((thrown: unknown) => thrown);
  await db.close();
  const { text, err } = logged(error);
  expect(err).toMatchObject({ message: "query failed", cause: { code: "ECONNREFUSED" } });
  expect(err.stack).toContain("findSourceId");
  expect(text).not.toContain("at parameter");
});

test("the log has the message, code, stack and cause of any other error", () => {
  const error = Object.assign(new Error("it broke", { cause: new Error("the disk") }), { code: "EIO", detail: "row" });
  const { text, err } = logged(error);
  expect(err).toMatchObject({ type: "Error", message: "it broke", code: "EIO", cause: { message: "the disk" } });
  expect(err.stack).toContain("Error: it broke\n");
  expect(text).not.toContain("row");
  expect(logged("a string").err).toBe("a string");
});
