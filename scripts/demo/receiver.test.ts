// The receiver of the demonstration, called over HTTP with signatures that this repository's own code makes.

import { once } from "node:events";
import { spawn } from "node:child_process";
import { createSecretKey } from "node:crypto";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { generateSigningSecret } from "@sluice/signature/secret";
import { signV1 } from "@sluice/signature/signing/v1";
import { expect, onTestFinished, test } from "vitest";

import { startDemoReceiver } from "./receiver.ts";

const BODY = Buffer.from('{"type":"batch.succeeded"}');
const SECRET = generateSigningSecret().text;

async function post(url: string, { secret = SECRET, ageSeconds = 0 } = {}) {
  const timestamp = String(Math.floor(Date.now() / 1000) - ageSeconds);
  const key = createSecretKey(secret.replace("whsec_", ""), "base64");
  const headers = {
    "webhook-id": "msg_1",
    "webhook-timestamp": timestamp,
    "webhook-signature": signV1(key, "msg_1", timestamp, BODY),
  };
  const response = await fetch(url, { method: "POST", headers, body: BODY });
  return [response.status, await response.json()];
}

async function start() {
  const receiver = await startDemoReceiver(SECRET);
  onTestFinished(receiver.stop);
  return receiver.url;
}

test("a signature of the target's secret is verified", async () => {
  expect(await post(await start())).toEqual([200, { verified_by: "standardwebhooks", bytes: BODY.length }]);
});

test("a signature of another secret is refused with 401", async () => {
  const answer = await post(await start(), { secret: generateSigningSecret().text });
  expect(answer).toEqual([401, { refused_by: "standardwebhooks", reason: "No matching signature found" }]);
});

test("a signature that is ten minutes old is refused with 401", async () => {
  const answer = await post(await start(), { ageSeconds: 600 });
  expect(answer).toEqual([401, { refused_by: "standardwebhooks", reason: "Message timestamp too old" }]);
});

test("a request without a signature is refused with 401", async () => {
  const response = await fetch(await start(), { method: "POST", body: BODY });
  expect([response.status, await response.json()]).toEqual([
    401,
    { refused_by: "standardwebhooks", reason: "Missing required headers" },
  ]);
});

test("as a process, it takes its secret from stdin, prints its URL, and ends with stdin", async () => {
  const main = fileURLToPath(new URL("receiver-main.ts", import.meta.url));
  const child = spawn(process.execPath, [main], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  child.stdin.write(`${SECRET}\n`);
  const [url] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  expect(await post(url)).toEqual([200, { verified_by: "standardwebhooks", bytes: BODY.length }]);
  child.stdin.end();
  expect(await once(child, "exit")).toEqual([0, null]);
});
