// Over real connections, because what a body and a header are is up to the server.

import { expect, onTestFinished } from "vitest";

import { newId } from "@sluice/shared/domain/ids";
import { closeServer, listen } from "@sluice/shared/runtime/http-server";

import { ADMIN_KEY, createTestApi, test } from "../../../../../tests/support/api/test-api.ts";
import { openRaw, sendRaw } from "../../../../../tests/support/raw-request.ts";
import { until } from "../../../../../tests/support/wait.ts";
import { openServer } from "../../http/server.ts";
import { createApi } from "../api.ts";

const JSON_TYPE = "content-type: application/json\r\n";

test.for([
  ["no body", "\r\n"],
  ["a body of no length", "content-length: 0\r\n\r\n"],
  ["a form of no length", "content-type: application/x-www-form-urlencoded\r\ncontent-length: 0\r\n\r\n"],
  ["no chunks", "transfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["{}", `${JSON_TYPE}content-length: 2\r\n\r\n{}`],
  ["null", `${JSON_TYPE}content-length: 4\r\n\r\nnull`],
  ["null in a chunk", `${JSON_TYPE}transfer-encoding: chunked\r\n\r\n4\r\nnull\r\n0\r\n\r\n`],
] as const)("a verb with %s acts, and first compares If-Match", async ([, rest], { api }) => {
  const { server } = openServer(createApi(api).fetch, api.log);
  const url = await listen(server, { host: "127.0.0.1", port: 0 }, "PORT");
  onTestFinished(() => closeServer(server, 0));
  const body = { uri: "http://billing.internal", subscribed_events: ["*"] };
  const created = await api.call("POST", "/v1/targets", { body });
  const pause = async (header: string) => {
    const connection = await openRaw(url);
    onTestFinished(connection.close);
    const head = `POST /v1/targets/${created.body.id}:pause HTTP/1.1\r\nhost: a\r\nconnection: close\r\n`;
    await connection.write(`${head}authorization: Bearer ${ADMIN_KEY}\r\n${header}\r\n${rest}`);
    await until(connection.isClosed);
    return Number(connection.text().split(" ")[1]);
  };
  expect(await pause('if-match: "stale"')).toBe(412);
  expect(await pause(`if-match: "stale"\r\nidempotency-key: ${newId()}`)).toBe(412);
  expect((await api.call("GET", `/v1/targets/${created.body.id}`)).body.state).toBe("enabled");
  expect(await pause(`if-match: ${created.headers.get("etag")}\r\nidempotency-key: ${newId()}`)).toBe(200);
  expect((await api.call("GET", `/v1/targets/${created.body.id}`)).body.state).toBe("paused");
});

test("a body that ends too soon is no fault of the relay", async ({ api }) => {
  const own = await createTestApi(api.db);
  const { server } = openServer(createApi(own).fetch, own.log);
  const url = await listen(server, { host: "127.0.0.1", port: 0 }, "PORT");
  onTestFinished(() => closeServer(server, 0));
  const headers = { host: "a", authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" };
  await sendRaw(url, {
    path: "/v1/targets",
    headers: { ...headers, "content-length": "100" },
    chunks: ["{"],
    end: true,
  });
  const line = await until(() => own.logLines.find(({ msg }) => msg === "api request"));
  expect(line).toMatchObject({ status: 400, level: "info" });
});
