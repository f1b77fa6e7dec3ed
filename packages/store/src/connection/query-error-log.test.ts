// The log of a failed query never has the query's parameters.

import { expect, test } from "vitest";

import { openLog } from "@sluice/shared/runtime/log";

import { findSourceId } from "../configuration/sources.ts";
import { openDatabase } from "./database.ts";

test("the log says where and why a query failed, and has none of its parameters", async () => {
  const db = openDatabase({
    url: "postgres://nobody@127.0.0.1:1/none",
    applicationName: "sluice-test",
    maxConnections: 1,
    onError: () => {},
  });
  const error: unknown = await findSourceId(db, "a\n    at parameter").catch((thrown: unknown) => thrown);
  await db.close();
  const lines: string[] = [];
  openLog("gateway", "info", { write: (line) => void lines.push(line) }).error({ err: error }, "failed");
  const [text = ""] = lines;
  const { err } = JSON.parse(text);
  expect(err).toMatchObject({ message: "query failed", cause: { code: "ECONNREFUSED" } });
  expect(err.stack).toContain("findSourceId");
  expect(text).not.toContain("at parameter");
});
