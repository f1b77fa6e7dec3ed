// Where the demonstration receives: at an address that the user gave, and in the worker's container. A script stands in
// for Docker, and runs what Docker would run in the container.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

import { generateSigningSecret } from "@sluice/signature/secret";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";

import { claimPort } from "../../tests/support/ports.ts";
import { geminiEvent, signWebhook } from "../../tests/support/sign.ts";
import { findRelay } from "./find-relay.ts";
import { openReceiver } from "./open-receiver.ts";

const SECRET = generateSigningSecret().text;
const RECEIVER_MAIN = fileURLToPath(new URL("receiver-main.ts", import.meta.url));

afterEach(() => vi.unstubAllEnvs());

/** Puts a `docker` on PATH. @param script runs in a shell. @returns a directory for the compose file. */
function replaceDocker(script: string): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-demo-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "docker");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  vi.stubEnv("PATH", `${directory}${delimiter}${process.env["PATH"]}`);
  return directory;
}

async function post(url: string): Promise<number> {
  const { headers, body } = signWebhook({ secret: SECRET, body: geminiEvent() });
  const response = await fetch(url, { method: "POST", headers, body: Uint8Array.from(body) });
  await response.arrayBuffer();
  return response.status;
}

test("a given URL is the address of the target, and its port is the port of the receiver", async () => {
  const url = `http://127.0.0.1:${await claimPort()}/hook`;
  const receiver = await openReceiver({ kind: "given", url }, SECRET);
  onTestFinished(receiver.stop);
  expect(receiver.url).toBe(url);
  expect(await post(url)).toBe(200);
});

test("in the worker's container the receiver verifies, and ends with the demonstration", async () => {
  const directory = replaceDocker(`
    [ "$*" = "compose exec -T worker node demo-receiver.mjs" ] || exit 1
    exec "${process.execPath}" "${RECEIVER_MAIN}"`);
  const receiver = await openReceiver({ kind: "compose", directory }, SECRET);
  expect(await post(receiver.url)).toBe(200);
  await receiver.stop();
  await expect(post(receiver.url)).rejects.toThrow("fetch failed");
});

test("a container that cannot run the receiver is an error with the words of Docker", async () => {
  const directory = replaceDocker(`echo 'service "worker" is not running' >&2; exit 1`);
  const opened = openReceiver({ kind: "compose", directory }, SECRET);
  await expect(opened).rejects.toThrow(/docker compose up -d --build --wait[^]*service "worker" is not running/);
});

test("a relay in containers gets the receiver in its worker, and a named relay gets it on this machine", () => {
  const root = replaceDocker("echo a-key-of-the-compose-file");
  const receiverUrl = "http://10.0.0.9:9000/webhook";
  expect(findRelay(root, { PORT: "9080", API_PORT: "9081" })).toMatchObject({
    address: {
      ingressUrl: "http://127.0.0.1:9080",
      apiUrl: "http://127.0.0.1:9081",
      apiKey: "a-key-of-the-compose-file",
    },
    receiverPlace: { kind: "compose", directory: root },
  });
  expect(findRelay(root, { ADMIN_API_KEY: "a-key-of-the-environment" })).toMatchObject({
    address: { apiKey: "a-key-of-the-environment" },
    receiverPlace: { kind: "compose" },
  });
  const named = {
    SLUICE_INGRESS_URL: "http://10.0.0.5:8080",
    SLUICE_API: "http://10.0.0.5:8081",
    ADMIN_API_KEY: "a-key",
  };
  expect(findRelay(root, named)).toMatchObject({
    address: { ingressUrl: named.SLUICE_INGRESS_URL, apiUrl: named.SLUICE_API },
    receiverPlace: { kind: "loopback" },
  });
  expect(findRelay(root, { ...named, SLUICE_RECEIVER_URL: receiverUrl }).receiverPlace).toEqual({
    kind: "given",
    url: receiverUrl,
  });
});
