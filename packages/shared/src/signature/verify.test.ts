// Verification against the specification's vectors, with the library `standardwebhooks` as the oracle.

import { createSecretKey, randomBytes, randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";

import { generateSigningSecret } from "./secret.ts";
import { signV1 } from "./v1.ts";
import { type SignedRequest, type VerificationKeys, verify } from "./verify.ts";

// The vectors of the Standard Webhooks libraries.
const A = {
  secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  webhookId: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  timestamp: "1614265330",
  body: '{"test": 2432232314}',
  signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};
const B = {
  secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
  webhookId: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
  timestamp: "1649367553",
  body: '{"email":"test@example.com","username":"test_user"}',
  signature: "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
};

const keyOf = (secret: string) => createSecretKey(secret.slice("whsec_".length), "base64");
const nowMsOf = ({ timestamp }: { timestamp: string }) => Number(timestamp) * 1000;
const keysOf = (...secrets: string[]): VerificationKeys => ({
  schemes: ["v1"],
  toleranceSeconds: 300,
  hmacKeys: secrets.map(keyOf),
});

/** What becomes of A when some of it is changed. */
function judge(changes: Partial<Record<keyof SignedRequest, string | undefined>>, nowMs = nowMsOf(A)) {
  const request = { ...A, ...changes };
  return verify({ ...request, body: Buffer.from(request.body ?? "") }, keysOf(A.secret), nowMs);
}

const accepted = { accepted: true, scheme: "v1" };
const refused = (reason: string) => ({ accepted: false, reason, detail: expect.any(String) });

describe("the specification's vectors", () => {
  test.for([A, B])("are verified, and made", (vector) => {
    const body = Buffer.from(vector.body);
    const verdict = verify({ ...vector, body }, keysOf(vector.secret), nowMsOf(vector));
    expect(verdict).toEqual({ ...accepted, webhookId: vector.webhookId });
    expect(signV1(keyOf(vector.secret), vector.webhookId, vector.timestamp, body)).toBe(vector.signature);
  });

  test("are not verified under each other's secret", () => {
    const verdict = verify({ ...A, body: Buffer.from(A.body) }, keysOf(B.secret), nowMsOf(A));
    expect(verdict).toEqual(refused("signature_mismatch"));
  });
});

describe("refused", () => {
  test.for(["webhookId", "timestamp", "signature"] as const)("%s missing or empty", (header) => {
    expect(judge({ [header]: undefined })).toEqual(refused("missing_header"));
    expect(judge({ [header]: "" })).toEqual(refused("missing_header"));
  });

  test.for([
    "hello",
    "123junk",
    "1e9",
    "-1",
    "+1614265330",
    "01614265330",
    "1614265330.0",
    " 1614265330",
    "0x60378bb2",
  ])("the timestamp %j", (timestamp) => {
    // Signed over what is sent, so that only the strict reading refuses it.
    const signature = signV1(keyOf(A.secret), A.webhookId, timestamp, Buffer.from(A.body));
    expect(judge({ timestamp, signature })).toEqual(refused("malformed_header"));
  });

  test.for(["msg.1", "msg 1", "msg\n1", "msg_ü", "m".repeat(257)])("the id %j", (webhookId) => {
    const signature = signV1(keyOf(A.secret), webhookId, A.timestamp, Buffer.from(A.body));
    expect(judge({ webhookId, signature })).toEqual(refused("malformed_header"));
  });

  test("bytes that move between id, timestamp and body", () => {
    expect(judge({ webhookId: `${A.webhookId}.1614265330`, body: A.body })).toEqual(refused("malformed_header"));
    expect(judge({ timestamp: "161426533", body: `0.${A.body}` }, 161_426_533_000)).toEqual(
      refused("signature_mismatch"),
    );
  });

  test.for([
    ["cut to 8 characters", A.signature.slice(0, 11), "signature_mismatch"],
    ["without a MAC", "v1,", "malformed_signature"],
    ["without a version", A.signature.slice(3), "malformed_signature"],
    ["of blanks", "   ", "unaccepted_scheme"],
    ["without padding", A.signature.replace("=", ""), "signature_mismatch"],
    ["with a base64 that only decodes to the same", A.signature.replace("OE=", "OF="), "signature_mismatch"],
    ["in base64url", A.signature.replaceAll("+", "-").replaceAll("/", "_"), "signature_mismatch"],
    ["with more after it", `${A.signature}=`, "signature_mismatch"],
    ["in the clothes of v1a", A.signature.replace("v1,", "v1a,"), "unaccepted_scheme"],
    ["in the clothes of v2", A.signature.replace("v1,", "v2,"), "unaccepted_scheme"],
    ["as the ninth of nine", `${"v1,AAAA ".repeat(8)}${A.signature}`, "malformed_signature"],
    ["beside something else", `${A.signature} nonsense`, "malformed_signature"],
  ] as const)("a signature %s", ([, signature, reason]) => {
    expect(judge({ signature })).toEqual(refused(reason));
  });

  test("any changed byte of the body", () => {
    for (let i = 0; i < A.body.length; i++) {
      const body = Buffer.from(A.body);
      body.writeUInt8(body.readUInt8(i) ^ 1, i);
      expect(verify({ ...A, body }, keysOf(A.secret), nowMsOf(A))).toEqual(refused("signature_mismatch"));
    }
  });

  test("everything, while the source has no secret or accepts no scheme", () => {
    const request = { ...A, body: Buffer.from(A.body) };
    expect(verify(request, keysOf(), nowMsOf(A))).toEqual(refused("no_secret"));
    expect(verify(request, { ...keysOf(A.secret), schemes: [] }, nowMsOf(A))).toEqual(refused("unaccepted_scheme"));
  });
});

describe("the tolerance", () => {
  test.for([
    [-300, true],
    [300, true],
    [-301, "future_timestamp"],
    [301, "stale_timestamp"],
  ] as const)("of 300 s: a request that is %i s old", ([ageSeconds, expected]) => {
    const verdict = judge({}, nowMsOf(A) + ageSeconds * 1000);
    if (expected === true) expect(verdict).toMatchObject(accepted);
    else expect(verdict).toEqual(refused(expected));
  });

  test("is counted in whole seconds, as the timestamp is", () => {
    expect(judge({}, nowMsOf(A) + 300_999)).toMatchObject(accepted);
    expect(judge({}, nowMsOf(A) + 301_000)).toEqual(refused("stale_timestamp"));
  });

  test("is the source's own", () => {
    const keys = { ...keysOf(A.secret), toleranceSeconds: 86_400 };
    expect(verify({ ...A, body: Buffer.from(A.body) }, keys, nowMsOf(A) + 86_400_000)).toMatchObject(accepted);
  });
});

describe("a rotation", () => {
  test("verifies with any of the source's secrets", () => {
    for (const secrets of [
      [B.secret, A.secret],
      [A.secret, B.secret],
    ]) {
      expect(verify({ ...A, body: Buffer.from(A.body) }, keysOf(...secrets), nowMsOf(A))).toMatchObject(accepted);
    }
  });

  test("verifies with any of the signatures, whatever the versions of the others", () => {
    expect(judge({ signature: `v1,${"A".repeat(43)}= ${A.signature}` })).toMatchObject(accepted);
    expect(judge({ signature: `v1a,AAAA  ${A.signature}` })).toMatchObject(accepted);
  });
});

describe("standardwebhooks as the oracle", () => {
  const bodies = ["", "{}", "ü\u0000\u{1F511}\r\n", "x".repeat(100_000), JSON.stringify({ id: randomUUID() })];

  test.for(bodies)("what it signs is verified, and what is signed it verifies", (text) => {
    const secret = generateSigningSecret();
    const webhookId = `msg_${randomUUID()}`;
    const nowMs = Date.now();
    const timestamp = String(Math.floor(nowMs / 1000));
    const oracle = new Webhook(secret.text);
    const theirs = oracle.sign(webhookId, new Date(nowMs), text);
    const ours = signV1(secret.key, webhookId, timestamp, Buffer.from(text));
    expect(ours).toBe(theirs);
    const request = { webhookId, timestamp, signature: theirs, body: Buffer.from(text) };
    expect(verify(request, keysOf(secret.text), nowMs)).toMatchObject(accepted);
    const headers = { "webhook-id": webhookId, "webhook-timestamp": timestamp, "webhook-signature": ours };
    expect(() => oracle.verify(text, headers, { jsonParse: false })).not.toThrow();
  });

  test("which fails on bytes that are not UTF-8: here they are signed as they are", () => {
    const key = createSecretKey(randomBytes(32));
    const body = Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc3, 0x28]);
    const request = {
      webhookId: "msg_1",
      timestamp: A.timestamp,
      body,
      signature: signV1(key, "msg_1", A.timestamp, body),
    };
    const keys = { ...keysOf(), hmacKeys: [key] };
    expect(verify(request, keys, nowMsOf(A))).toMatchObject(accepted);
    const asText = Buffer.from(body.toString("utf8"));
    expect(verify({ ...request, body: asText }, keys, nowMsOf(A))).toEqual(refused("signature_mismatch"));
  });
});
