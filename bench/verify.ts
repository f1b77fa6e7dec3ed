// Measures how long a verification takes for each scheme and size, compared to the library `standardwebhooks` on the same
// bytes. `node bench/verify.ts` prints the table of bench/README.md.

import { createHash, createHmac, type KeyObject, randomBytes, timingSafeEqual } from "node:crypto";

import { generateSigningSecret } from "@sluice/signature/secret";
import { signV1 } from "@sluice/signature/signing/v1";
import { Webhook } from "standardwebhooks";

import { signJwt } from "../tests/support/signing/sign-jwt.ts";
import { signV1a } from "../tests/support/signing/sign-v1a.ts";
import {
  AUDIENCE,
  currentKey,
  keySetOf,
  newEd25519Key,
  newRsaKey,
  settingsOf,
} from "../tests/support/signing/test-webhooks.ts";
import { type ReceivedWebhook, verifyWebhook } from "../tests/support/signing/verify-webhook.ts";

import { describeMachine, format } from "./machine.ts";

const SIZES = { "200 B": 200, "10 KB": 10_000, "1 MB": 1_000_000 };
/** The result is the fastest of so many rounds, because other programs on the machine can only slow a round down. */
const ROUNDS = 20;
const ROUND_MS = 100;

/** Does so many verifications in a row. A loop without `await` does not pay for one. */
type Loop = (times: number) => void | Promise<void>;

function repeat(once: () => void): Loop {
  return (times) => {
    for (let i = 0; i < times; i++) once();
  };
}

function repeatAsync(once: () => Promise<void>): Loop {
  return async (times) => {
    for (let i = 0; i < times; i++) await once();
  };
}

async function makeLoops(bytes: number): Promise<[string, Loop][]> {
  // The body is printable, because the library reads it as text.
  const body = Buffer.from(randomBytes(bytes).toString("base64").slice(0, bytes));
  const nowMs = Date.now();
  const seconds = Math.floor(nowMs / 1000);
  const webhookId = "msg_p5jXN8AQM9LWM0D4loKWxJek";
  const timestamp = String(seconds);
  const secret = generateSigningSecret();
  const [ed25519, rsa] = [newEd25519Key("ed-1"), newRsaKey("rsa-1")];
  const claims = {
    aud: AUDIENCE,
    iat: seconds,
    exp: seconds + 300,
    body_hash: createHash("sha256").update(body).digest("base64"),
  };
  const signatures = {
    v1: signV1(secret.key, webhookId, timestamp, body),
    v1a: signV1a(ed25519.key, webhookId, timestamp, body),
    jwt: await signJwt(rsa, claims),
  };
  const settings = settingsOf({ hmacKeys: [currentKey(secret.key)], keySet: keySetOf(ed25519, rsa) });

  const ours = (scheme: keyof typeof signatures) => {
    const webhook: ReceivedWebhook = { webhookId, timestamp, body, signature: signatures[scheme] };
    return repeatAsync(async () => {
      const verdict = await verifyWebhook(webhook, settings, nowMs);
      if (verdict.kind !== "accepted" || verdict.scheme !== scheme) throw new Error(JSON.stringify(verdict));
    });
  };
  // The computation of v1 without the rest of the verdict. The two loops differ only in the type of the key.
  const macAndCompare = (key: Buffer | KeyObject) => {
    const received = Buffer.from(signatures.v1.slice(3));
    return repeat(() => {
      const mac = createHmac("sha256", key).update(`${webhookId}.${timestamp}.`).update(body).digest("base64");
      if (!timingSafeEqual(Buffer.from(mac), received)) throw new Error("The signatures differ");
    });
  };
  const library = new Webhook(secret.text);
  const headers = { "webhook-id": webhookId, "webhook-timestamp": timestamp, "webhook-signature": signatures.v1 };
  return [
    ["`standardwebhooks` verify", repeat(() => library.verify(body, headers, { jsonParse: false }))],
    ["`v1`, whole verdict", ours("v1")],
    ["`v1`, MAC by a KeyObject", macAndCompare(secret.key)],
    ["`v1`, MAC by a Buffer", macAndCompare(secret.key.export())],
    ["`v1a`, whole verdict", ours("v1a")],
    ["JWT RS256, whole verdict", ours("jwt")],
  ];
}

/** @returns microseconds for one verification. */
async function measure(loop: Loop): Promise<number> {
  let times = 1;
  const time = async () => {
    const startedAt = performance.now();
    await loop(times);
    return performance.now() - startedAt;
  };
  // This loop warms up, and finds how many verifications fit into a round.
  for (let tookMs = await time(); tookMs < ROUND_MS / 2; tookMs = await time()) times *= 2;
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(((await time()) * 1000) / times);
  return Math.min(...rounds);
}

console.log(`${describeMachine()}\n`);
console.log("| body | what | µs | per second | times as fast as the library |");
console.log("| --- | --- | ---: | ---: | ---: |");
for (const [size, bytes] of Object.entries(SIZES)) {
  let library: number | undefined;
  for (const [name, loop] of await makeLoops(bytes)) {
    const us = await measure(loop);
    library ??= us;
    console.log(`| ${size} | ${name} | ${format(us, 1)} | ${format(1e6 / us)} | ${format(library / us, 1)} |`);
  }
}
