// The example receivers, as they are written: each takes the relay's own deliveries by a verifier that is not ours, and refuses
// what is not signed for it.

import { spawn } from "node:child_process";
import { join } from "node:path";

import { generateSigningSecret } from "@sluice/signature/secret";
import { expect, onTestFinished } from "vitest";

import { findMissingTool } from "./support/installed.ts";
import { test } from "./support/relay.ts";
import { geminiEvent, signBytes, signWebhook } from "./support/sign.ts";
import { until } from "./support/wait.ts";

const RECEIVERS = join(import.meta.dirname, "../examples/receivers");

interface Example {
  name: string;
  command: string;
  words: string[];
  folder: string;
  /** Whether it takes any bytes, or only text. */
  takesBytes: boolean;
  /** Go and Java fetch their libraries, so they are asked for: `npm run test:receivers`. */
  isFetched?: boolean;
}

const EXAMPLES: Example[] = [
  { name: "TypeScript", command: process.execPath, words: ["receiver.ts"], folder: ".", takesBytes: false },
  { name: "Python", command: "python3", words: ["receiver.py"], folder: ".", takesBytes: true },
  { name: "Go", command: "go", words: ["run", "."], folder: "go", takesBytes: true, isFetched: true },
  {
    name: "Java",
    command: "mvn",
    words: ["-q", "compile", "exec:java"],
    folder: "java",
    takesBytes: false,
    isFetched: true,
  },
];

const whyNot = ({ command, isFetched }: Example): string | undefined => {
  if (isFetched === true && process.env["SLUICE_TEST_RECEIVERS"] !== "all") return "npm run test:receivers runs it";
  const missing = findMissingTool([command]);
  return missing && `${missing} is not installed`;
};

/** Starts an example. @returns its address, and what it has printed. */
async function start({ command, words, folder }: Example, secret: string) {
  // Maven and `go run` start the receiver as a child of theirs, so all of the group is ended.
  const child = spawn(command, words, {
    cwd: join(RECEIVERS, folder),
    env: { ...process.env, WEBHOOK_SECRET: secret, PORT: "0" },
    detached: true,
  });
  const end = () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  };
  onTestFinished(end);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  const waitFor = (pattern: RegExp) =>
    until(() => pattern.exec(output), { what: `${String(pattern)} in: ${output}`, timeoutMs: 240_000 });
  const port = (await waitFor(/listening on (\d+)/))?.[1];
  return { url: `http://127.0.0.1:${port}/`, waitFor };
}

for (const example of EXAMPLES) {
  const reason = whyNot(example);
  test.skipIf(reason !== undefined)(
    `the receiver in ${example.name} verifies what the relay sends${reason === undefined ? "" : ` (skipped: ${reason})`}`,
    async ({ relay }) => {
      const old = generateSigningSecret().text;
      const { url, waitFor } = await start(example, old);
      const target = await relay.call("POST", "/v1/targets", { uri: url, subscribed_events: ["*"] });
      onTestFinished(async () => void (await relay.call("DELETE", `/v1/targets/${target.id}`)));
      const rotate = (rotation: object) => relay.call("POST", `/v1/targets/${target.id}:rotate-secret`, rotation);
      await rotate({ secret: old, previous: "revoke_immediately" });
      const first = await relay.sendEvent({ body: geminiEvent("batch.succeeded", { id: "é😀" }) });
      await waitFor(new RegExp(`${first.webhookId} batch.succeeded`));

      // During a rotation there are two signatures, and the receiver knows one of the two secrets.
      await rotate({ previous: "revoke_after_24h" });
      const second = await relay.sendEvent({ body: geminiEvent("batch.failed") });
      await waitFor(new RegExp(`${second.webhookId} batch.failed`));

      const post = async (headers: Record<string, string>, body: Uint8Array) =>
        (await fetch(url, { method: "POST", headers, body: Buffer.from(body) })).status;
      const forged = signWebhook({ secret: generateSigningSecret().text, body: geminiEvent() });
      expect(await post(forged.headers, forged.body)).toBe(401);
      const late = signWebhook({ secret: old, body: geminiEvent(), timestamp: Math.floor(Date.now() / 1000) - 400 });
      expect(await post(late.headers, late.body)).toBe(401);
      const bytes = Buffer.from([0x7b, 0xff, 0xfe, 0x00]);
      const nowS = Math.floor(Date.now() / 1000);
      const signed = {
        "webhook-id": "msg_bytes",
        "webhook-timestamp": String(nowS),
        "webhook-signature": signBytes(old, "msg_bytes", nowS, bytes),
      };
      expect(await post(signed, bytes)).toBe(example.takesBytes ? 204 : 401);
    },
  );
}
