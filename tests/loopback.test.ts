// A relay with the default settings connects to no loopback address: neither to targets nor for key sets.

import { createServer } from "node:net";

import { expect, onTestFinished } from "vitest";

import type { ResolveHost } from "@sluice/shared/address/resolve-host";

import { attemptAt } from "./support/attempt-target.ts";
import { startJwksServer } from "./support/jwks-server.ts";
import { listenOnLoopback } from "./support/listen.ts";
import { relayTest } from "./support/relay.ts";
import { signWebhookByJwt } from "./support/sign-dynamic.ts";
import { newRsaKey } from "./support/signing/test-webhooks.ts";
import { runSql } from "./support/sql.ts";
import { until } from "./support/wait.ts";

/** Every name is this machine. */
const resolve: ResolveHost = (_, __, done) => done(null, [{ address: "127.0.0.1", family: 4 }]);
const settings = { TARGET_ALLOW: "127.0.0.0/8, own.test", TARGET_LOOPBACK: "", JWKS_LOOPBACK: "" };
const test = relayTest({ resolve, settings });

test("the worker does not connect to a target on loopback, and the API says so at once", async ({ relay }) => {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  const port = await listenOnLoopback(server);
  onTestFinished(() => new Promise<void>((done) => server.close(() => done())));
  expect(await attemptAt(relay, `http://own.test:${port}/`)).toBe(
    "address refused: own.test is 127.0.0.1: loopback, which TARGET_LOOPBACK=allow opens",
  );
  const refusal = /invalid_request.*\/uri.*TARGET_LOOPBACK=allow opens/;
  for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
    await expect(attemptAt(relay, `http://${host}:${port}/`)).rejects.toThrow(refusal);
  }
  expect(connections).toBe(0);
});

test("a stored source whose key set is on loopback gets no keys, and the log says why", async ({ relay }) => {
  const key = newRsaKey("rsa-1");
  const endpoint = await startJwksServer(key.jwk);
  onTestFinished(endpoint.stop);
  const settingsOfSource = { name: "older", kind: "dynamic", audiences: ["a"] };
  const source = await relay.call("POST", "/v1/sources", settingsOfSource);
  // As the version before this one stored it.
  await runSql(relay.database.url, "UPDATE sources SET jwks_uri = $1 WHERE name = 'older'", [endpoint.url]);
  // Any other change makes the gateway load the sources again.
  await relay.call("PATCH", `/v1/sources/${source.id}`, { tolerance_seconds: 299 });
  const webhook = await signWebhookByJwt(key, { aud: "a" });
  const answer = await relay.send(webhook, `older/${source.new_ingress_token}`);
  expect(answer.status).toBe(503);
  const line = await until(() => relay.logLines.find((each) => each.includes("key set not fetched")));
  expect(line).toContain("address refused: 127.0.0.1: loopback, which JWKS_LOOPBACK=allow opens");
  expect(endpoint.fetches).toBe(0);
});
