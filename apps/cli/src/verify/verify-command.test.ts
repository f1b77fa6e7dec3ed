// `sluice sign` and `sluice verify` without a relay, against the library of Standard Webhooks.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { generateSigningSecret } from "@sluice/signature/secret";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";

import { runSluice } from "../../../../tests/support/run-sluice.ts";
import { signWebhookByJwt, signWebhookByV1a } from "../../../../tests/support/sign-dynamic.ts";
import { newEd25519Key, newRsaKey } from "../../../../tests/support/signing/test-webhooks.ts";

const secret = generateSigningSecret().text;
const BODY = '{"type":"batch.succeeded"}';

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { code, out, err } = await runSluice(args, { env });
  return { code, out: out.toString(), err };
}

function file(content: string | Buffer): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-verify-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "content"), content);
  return join(directory, "content");
}

const sign = async (...args: string[]) => JSON.parse((await run(["sign", "--secret", secret, "--json", ...args])).out);
const asOptions = (headers: Record<string, string>) =>
  Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`]);

test("the library accepts what sign prints, and verify accepts what the library signs", async () => {
  const body = file(BODY);
  const { code, out, err } = await run(["sign", body], { SLUICE_SIGNING_SECRET: secret });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const headers = Object.fromEntries(
    out
      .trim()
      .split("\n")
      .map((line) => line.split(": ") as [string, string]),
  );
  expect(new Webhook(secret).verify(BODY, headers)).toEqual(JSON.parse(BODY));
  const at = new Date();
  const signature = new Webhook(secret).sign("msg_2", at, BODY);
  const signed = {
    "webhook-id": "msg_2",
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": signature,
  };
  expect(await run(["verify", "--body", body, ...asOptions(signed)], { SLUICE_SIGNING_SECRET: secret })).toEqual({
    code: 0,
    out: "accepted by v1, webhook-id msg_2\n",
    err: "",
  });
});

test("verify says what an old webhook was worth when it came", async () => {
  const body = file(BODY);
  const headers = await sign(body, "--at", "2026-01-22T12:00:00Z", "--id", "msg_old");
  const verify = ["verify", "--secret", secret, "--body", body, ...asOptions(headers)];
  const { code, out, err } = await run(verify);
  expect(code).toBe(1);
  expect(out).toMatch(/^refused stale_timestamp: .*\nat its own time: accepted by v1, webhook-id msg_old\n$/);
  expect(err).toContain("clock");
  expect(await run([...verify, "--at", "2026-01-22T12:01:00Z"])).toMatchObject({ code: 0, err: "" });
  expect(await run([...verify, "--at", "1769083260"])).toMatchObject({ code: 0, err: "" });
});

test("a line break that an editor put at the end of the body is found", async () => {
  const headers = await sign(file(BODY));
  const { code, err } = await run(["verify", "--secret", secret, "--body", file(`${BODY}\n`), ...asOptions(headers)]);
  expect(code).toBe(1);
  expect(err).toContain("Without the line break at the end of the body the signature matches.");
});

test("a body that the library reads otherwise is said to be one", async () => {
  const body = file(Buffer.from("\xff", "latin1"));
  const headers = await sign(body);
  const { code, out, err } = await run(["verify", "--secret", secret, "--body", body, ...asOptions(headers)]);
  expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining("accepted by v1") });
  expect(err).toContain("The library standardwebhooks disagrees: to it the signature does not match.");
});

test("dynamic webhooks are verified by a key set", async () => {
  const [ed25519, rsa] = [newEd25519Key("ed-1"), newRsaKey("rsa-1")];
  const jwks = file(JSON.stringify({ keys: [ed25519.jwk, rsa.jwk] }));
  const byV1a = signWebhookByV1a(ed25519, BODY);
  const byJwt = await signWebhookByJwt(rsa, { aud: "here" }, '{"type":"batch.succeeded","data":{}}');
  const verify = ({ headers, body }: typeof byV1a, ...more: string[]) =>
    run(["verify", "--jwks", jwks, "--body", file(body), ...asOptions(headers), "--json", ...more]);
  expect(JSON.parse((await verify(byV1a)).out)).toMatchObject({ verdict: "accepted", scheme: "v1a" });
  expect(JSON.parse((await verify(byJwt, "--audience", "here")).out)).toMatchObject({
    verdict: "accepted",
    scheme: "jwt",
  });
  const { code, out } = await verify(byJwt);
  expect({ code, out: JSON.parse(out) }).toMatchObject({ code: 1, out: { reason: "wrong_audience" } });
});

test.for([
  [["sign", "/no/such/file", "--secret", secret], "ENOENT"],
  [["sign", "-"], "--secret, --secret-file or SLUICE_SIGNING_SECRET"],
  [["sign", "-", "--secret", "whsec_short"], "The signing secret must"],
  [["sign", "-", "--secret", secret, "--id", "a.b"], "--id must be"],
  [["sign", "-", "--secret", secret, "--at", "yesterday"], "--at <time>"],
  [["verify"], "Give a file with the request"],
  [["verify", "-", "--body", "-"], "and not both"],
  [["verify", "--body", "-"], "Give --source, a secret"],
  [["verify", "--body", "-", "--header", "nothing"], "Line 1 is no header"],
  [["verify", "--body", "-", "--secret", secret, "--tolerance", "much"], "--tolerance <seconds>"],
  [["verify", "--body", "-", "--jwks", "/dev/null"], "this is no JSON"],
  [["verify", "--body", "-", "--jwks", "/dev/null", "--secret", secret], "neither --source nor a secret"],
] as const)("%j is a mistake that the message names", async ([args, message]) => {
  const { code, out, err } = await run(args);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(message);
  expect(err).not.toContain(secret);
});
