// Tests verification with the vectors of the specification, and everything except keys and tokens: headers, times, versions,
// and which schemes a source accepts.

import { createSecretKey, generateKeyPairSync } from "node:crypto";

import { describe, expect, test } from "vitest";

import { readPrivateKey } from "../../../tests/support/signing/read-private-key.ts";
import { signV1a } from "../../../tests/support/signing/sign-v1a.ts";
import {
  currentKey,
  inAWord,
  keySetOf,
  newEd25519Key,
  NOW_MS,
  settingsOf,
  tokenOf,
  webhookOf,
} from "../../../tests/support/signing/test-webhooks.ts";
import { verifyWebhook } from "../../../tests/support/signing/verify-webhook.ts";
import { SCHEMES_OF } from "./schemes.ts";
import { generateSigningSecret, readPublicKey } from "./secret.ts";
import { signV1 } from "./signing/v1.ts";
import type { VerificationSettings } from "./verification/scheme.ts";

// Test vectors of the Standard Webhooks libraries.
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
/** The content of A with a `v1a` signature. */
const C = {
  ...A,
  privateKey: "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
  publicKey: "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
  signature: "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
};

const keyOf = (secret: string) => createSecretKey(secret.slice("whsec_".length), "base64");
const nowMsOf = ({ timestamp }: { timestamp: string }) => Number(timestamp) * 1000;
const withSecrets = (...secrets: string[]) => settingsOf({ hmacKeys: secrets.map(keyOf).map(currentKey) });

function readPublic(text: string) {
  const read = readPublicKey(text);
  if ("fault" in read) throw new Error(read.fault);
  return read.key;
}

const withC = (changes: Partial<VerificationSettings> = {}) =>
  settingsOf({ publicKeys: [readPublic(C.publicKey)], keySet: keySetOf(newEd25519Key("another")), ...changes });

interface Vector {
  webhookId: string | undefined;
  timestamp: string | undefined;
  signature: string | undefined;
  body: string;
}

const judgeVector = (vector: Vector, settings: VerificationSettings, nowMs: number) =>
  verifyWebhook({ ...vector, body: Buffer.from(vector.body) }, settings, nowMs);

/** The verdict on A with some changes, as one word. */
const judge = (changes: Partial<Vector>, nowMs = nowMsOf(A), settings = withSecrets(A.secret)) =>
  judgeVector({ ...A, ...changes }, settings, nowMs);

const accepted = (scheme: string) => expect.objectContaining({ kind: "accepted", scheme });
const refused = (reason: string) => ({ kind: "refused", reason, detail: expect.any(String) });

describe("the specification's vectors", () => {
  test.for([A, B])("are verified and reproduced by v1", async (vector) => {
    const body = Buffer.from(vector.body);
    const verdict = await judgeVector(vector, withSecrets(vector.secret), nowMsOf(vector));
    expect(verdict).toEqual({
      kind: "accepted",
      scheme: "v1",
      webhookId: vector.webhookId,
      body,
      userMetadata: undefined,
      bodyUnbound: false,
    });
    expect(signV1(keyOf(vector.secret), vector.webhookId, vector.timestamp, body)).toBe(vector.signature);
  });

  test("are verified and reproduced by v1a, with a configured and with a published key", async () => {
    expect(await judgeVector(C, withC(), nowMsOf(C))).toMatchObject({ scheme: "v1a", webhookId: C.webhookId });
    expect(signV1a(readPrivateKey(C.privateKey), C.webhookId, C.timestamp, Buffer.from(C.body))).toBe(C.signature);
    const jwk = readPublic(C.publicKey).export({ format: "jwk" });
    const keySet = keySetOf(newEd25519Key("another"), { jwk: { ...jwk } });
    expect(await judgeVector(C, settingsOf({ keySet }), nowMsOf(C))).toEqual(accepted("v1a"));
  });

  test("are not verified under each other's key", async () => {
    expect(await judgeVector(A, withSecrets(B.secret), nowMsOf(A))).toEqual(refused("signature_mismatch"));
    expect(await judgeVector(C, withC({ publicKeys: [] }), nowMsOf(C))).toEqual(refused("signature_mismatch"));
  });
});

describe.for([
  ["v1", A, withSecrets(A.secret), (id: string, at: string) => signV1(keyOf(A.secret), id, at, Buffer.from(A.body))],
  ["v1a", C, withC(), (id: string, at: string) => signV1a(readPrivateKey(C.privateKey), id, at, Buffer.from(A.body))],
] as const)("refused under %s", ([, vector, settings, sign]) => {
  const judgeChanged = (changes: Partial<Vector>, nowMs = nowMsOf(vector)) =>
    judgeVector({ ...vector, ...changes }, settings, nowMs);

  test.for(["webhookId", "timestamp", "signature"] as const)("%s missing or empty", async (header) => {
    expect(await judgeChanged({ [header]: undefined })).toEqual(refused("missing_header"));
    expect(await judgeChanged({ [header]: "" })).toEqual(refused("missing_header"));
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
    "1614265330,1614265330",
  ])("the timestamp %j", async (timestamp) => {
    // The signature is right for this timestamp, so only the strict pattern can refuse it.
    const signature = sign(vector.webhookId, timestamp);
    expect(await judgeChanged({ timestamp, signature })).toEqual(refused("malformed_header"));
  });

  test.for(["msg.1", "msg 1", "msg\n1", "msg_ü", "m".repeat(257)])("the id %j", async (webhookId) => {
    const signature = sign(webhookId, vector.timestamp);
    expect(await judgeChanged({ webhookId, signature })).toEqual(refused("malformed_header"));
  });

  test("bytes moved between id, timestamp and body", async () => {
    const joined = `${vector.webhookId}.${vector.timestamp}`;
    expect(await judgeChanged({ webhookId: joined })).toEqual(refused("malformed_header"));
    expect(await judgeChanged({ timestamp: "161426533", body: `0.${vector.body}` }, 161_426_533_000)).toEqual(
      refused("signature_mismatch"),
    );
  });

  test.for([
    [-300, undefined],
    [300, undefined],
    [-301, "future_timestamp"],
    [301, "stale_timestamp"],
  ] as const)("beyond a tolerance of 300 s: a request that is %i s old", async ([ageSeconds, reason]) => {
    const verdict = await judgeChanged({}, nowMsOf(vector) + ageSeconds * 1000);
    if (reason === undefined) expect(verdict.kind).toBe("accepted");
    else expect(verdict).toEqual(refused(reason));
  });
});

describe("refused", () => {
  test.for([
    ["cut to 8 characters", A.signature.slice(0, 11), "signature_mismatch"],
    ["without a MAC", "v1,", "malformed_signature"],
    ["without a version", A.signature.slice(3), "malformed_signature"],
    ["with a version alone", "v1", "malformed_signature"],
    ["of blanks", "   ", "malformed_signature"],
    ["without padding", A.signature.replace("=", ""), "signature_mismatch"],
    ["with a base64 that only decodes to the same", A.signature.replace("OE=", "OF="), "signature_mismatch"],
    ["in base64url", A.signature.replaceAll("+", "-").replaceAll("/", "_"), "signature_mismatch"],
    ["in hex", `v1,${Buffer.from(A.signature.slice(3), "base64").toString("hex")}`, "signature_mismatch"],
    ["with more after it", `${A.signature}=`, "signature_mismatch"],
    ["with another list's comma", `${A.signature},${A.signature}`, "signature_mismatch"],
    ["in the clothes of v1a", A.signature.replace("v1,", "v1a,"), "malformed_signature"],
    ["in the clothes of v2", A.signature.replace("v1,", "v2,"), "unaccepted_scheme"],
    ["in upper case", A.signature.replace("v1,", "V1,"), "unaccepted_scheme"],
    ["as the seventeenth", `${"v1,AAAA ".repeat(16)}${A.signature}`, "malformed_signature"],
    ["beside something else", `${A.signature} nonsense`, "malformed_signature"],
    ["behind a tab", `\t${A.signature}`, "malformed_signature"],
  ] as const)("a v1 signature %s", async ([, signature, reason]) => {
    expect(await judge({ signature })).toEqual(refused(reason));
  });

  test("a v1 signature with the right number of characters but more bytes, also next to a good signature", async () => {
    for (const signature of [
      A.signature.replace(/.$/, "\u00e9"),
      A.signature.replace(/..$/, "\u00e9="),
      `\u00e9${A.signature}`,
    ]) {
      expect((await judge({})).kind).toBe("accepted");
      expect((await judge({ signature })).kind, signature).toBe("refused");
    }
  });

  test.for([
    ["cut to 8 characters", C.signature.slice(0, 12), "malformed_signature"],
    ["without any", "v1a,", "malformed_signature"],
    ["without padding", C.signature.replaceAll("=", ""), "malformed_signature"],
    ["with a base64 that only decodes to the same", C.signature.replace("Ag==", "Ah=="), "malformed_signature"],
    ["in base64url", C.signature.replaceAll("+", "-").replaceAll("/", "_"), "malformed_signature"],
    [
      "with a byte more",
      `v1a,${Buffer.concat([bytesOf(C.signature), Buffer.alloc(1)]).toString("base64")}`,
      "malformed_signature",
    ],
    [
      "whose S is above the group's order",
      `v1a,${addOrder(bytesOf(C.signature)).toString("base64")}`,
      "signature_mismatch",
    ],
    ["of zeros", `v1a,${Buffer.alloc(64).toString("base64")}`, "signature_mismatch"],
    ["in the clothes of v1", C.signature.replace("v1a,", "v1,"), "no_secret"],
  ] as const)("a v1a signature %s", async ([, signature, reason]) => {
    expect(await judgeVector({ ...C, signature }, withC(), nowMsOf(C))).toEqual(refused(reason));
  });

  test("everything, while the source has no secret", async () => {
    expect(await judge({}, nowMsOf(A), withSecrets())).toEqual(refused("no_secret"));
  });

  test("for a key of another type: v1a does not use X25519 and P-256 keys of the set", async () => {
    const others = [generateKeyPairSync("x25519"), generateKeyPairSync("ec", { namedCurve: "P-256" })];
    const keySet = keySetOf(
      newEd25519Key("good"),
      ...others.map(({ publicKey }) => ({ jwk: { ...publicKey.export({ format: "jwk" }) } })),
    );
    expect(keySet.ed25519).toHaveLength(1);
    expect(await judgeVector(C, settingsOf({ keySet }), nowMsOf(C))).toEqual(refused("signature_mismatch"));
  });
});

function bytesOf(signature: string): Buffer {
  return Buffer.from(signature.slice(signature.indexOf(",") + 1), "base64");
}

/** A verifier that does not check the range of S takes this for the same signature (RFC 8032, 5.1.7). */
function addOrder(signature: Buffer): Buffer {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  let s = 0n;
  for (const byte of signature.subarray(32).toReversed()) s = s * 256n + BigInt(byte);
  s += order;
  const malleated = Buffer.from(signature);
  for (let i = 32; i < 64; i++, s /= 256n) malleated[i] = Number(s % 256n);
  return malleated;
}

const other = (byte: number) => `v1a,${Buffer.alloc(64, byte).toString("base64")}`;

describe("several signatures", () => {
  const bad = `v1,${Buffer.alloc(32).toString("base64")}`;

  test.for([
    ["on two lines, the good one first", `${A.signature}, ${bad}`],
    ["on two lines, the bad one first", `${bad}, ${A.signature}`],
    ["on three lines of two", `${bad} ${bad}, ${bad} ${A.signature}, ${bad} ${bad}`],
    ["as the tenth of ten, as a relay sends while ten secrets overlap", `${`${bad} `.repeat(9)}${A.signature}`],
  ] as const)("%s", async ([, signature]) => {
    expect(await judge({ signature })).toEqual(accepted("v1"));
  });

  test("of v1a: four are tried, and a fifth is refused whatever the others are", async () => {
    const judgeV1a = (signature: string) => judgeVector({ ...C, signature }, withC(), nowMsOf(C));
    expect(await judgeV1a([other(1), other(2), other(3), C.signature].join(" "))).toEqual(accepted("v1a"));
    expect(await judgeV1a([other(1), other(1), other(1), other(1), C.signature].join(" "))).toEqual(accepted("v1a"));
    expect(await judgeV1a([C.signature, other(1), other(2), other(3), other(4)].join(" "))).toEqual(
      refused("malformed_signature"),
    );
  });

  test("of v1a do not hold the thread of the requests, however many keys and bytes there are", async () => {
    const keySet = keySetOf(...Array.from({ length: 32 }, (_, index) => newEd25519Key(String(index))));
    const signature = [1, 2, 3, 4].map((byte) => `v1a,${Buffer.alloc(64, byte).toString("base64")}`).join(" ");
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 0);
    const webhook = { ...C, signature, body: "x".repeat(1024 * 1024) };
    expect(await judgeVector(webhook, settingsOf({ keySet }), nowMsOf(C))).toEqual(refused("signature_mismatch"));
    clearInterval(counting);
    // One turn for each try at least, because each runs on another thread.
    expect(turns).toBeGreaterThan(10);
  });
});

describe("the tolerance", () => {
  test("is counted in whole seconds, as the timestamp is", async () => {
    expect(await judge({}, nowMsOf(A) + 300_999)).toEqual(accepted("v1"));
    expect(await judge({}, nowMsOf(A) + 301_000)).toEqual(refused("stale_timestamp"));
  });

  test("is the source's own", async () => {
    const settings = { ...withSecrets(A.secret), toleranceSeconds: 86_400 };
    expect(await judge({}, nowMsOf(A) + 86_400_000, settings)).toEqual(accepted("v1"));
    expect(await judge({}, nowMsOf(A) + 86_401_000, settings)).toEqual(refused("stale_timestamp"));
  });

  test("is checked before any signature", async () => {
    expect(await judge({ signature: "v1,AAAA" }, nowMsOf(A) + 301_000)).toEqual(refused("stale_timestamp"));
  });
});

const signBy = (secret: string) => signV1(keyOf(secret), A.webhookId, A.timestamp, Buffer.from(A.body));

describe("a rotation", () => {
  test.for([
    [B.secret, A.secret],
    [A.secret, B.secret],
  ])("verifies with any of the source's secrets", async (secrets) => {
    expect(await judge({}, nowMsOf(A), withSecrets(...secrets))).toEqual(accepted("v1"));
  });

  test("ends at the instant at which the old secret expires", async () => {
    const old = { key: keyOf(A.secret), expiresAtMs: nowMsOf(A) };
    const both = settingsOf({ hmacKeys: [currentKey(keyOf(B.secret)), old] });
    expect(await judge({}, nowMsOf(A) - 1, both)).toEqual(accepted("v1"));
    expect(await judge({}, nowMsOf(A), both)).toEqual(refused("signature_mismatch"));
    expect(await judge({}, nowMsOf(A), settingsOf({ hmacKeys: [old] }))).toEqual(refused("no_secret"));
  });

  test("verifies when any of several v1 signatures is good, as senders send them during a rotation", async () => {
    for (const signature of [`${signBy(A.secret)} ${signBy(B.secret)}`, `${signBy(B.secret)} ${signBy(A.secret)}`]) {
      expect(await judge({ signature })).toEqual(accepted("v1"));
      expect(await judge({ signature }, nowMsOf(A), withSecrets(B.secret))).toEqual(accepted("v1"));
    }
    const neither = generateSigningSecret().text;
    expect(await judge({ signature: `${signBy(neither)} ${signBy(B.secret)}` })).toEqual(refused("signature_mismatch"));
  });
});

describe("a header with signatures of several versions", async () => {
  const key = newEd25519Key("a");
  const secret = generateSigningSecret().key;
  const { webhookId = "", timestamp = "", body } = webhookOf();
  const good = {
    v1: signV1(secret, webhookId, timestamp, body),
    v1a: signV1a(key.key, webhookId, timestamp, body),
    jwt: await tokenOf(key),
  };
  const bad = {
    v1: signV1(secret, webhookId, timestamp, Buffer.from("another")),
    v1a: signV1a(key.key, webhookId, timestamp, Buffer.from("another")),
    jwt: await tokenOf(newEd25519Key("a")),
  };
  const everything = settingsOf({ hmacKeys: [currentKey(secret)], keySet: keySetOf(key) });
  const judgeHeader = async (signature: string, settings = everything) =>
    inAWord(await verifyWebhook(webhookOf({ signature }), settings, NOW_MS));

  test("is accepted when one of them is good, and the verdict names its scheme", async () => {
    expect(await judgeHeader(`${good.v1} ${good.v1a} ${good.jwt}`)).toBe("v1");
    expect(await judgeHeader(`${bad.v1} ${good.v1a} ${good.jwt}`)).toBe("v1a");
    expect(await judgeHeader(`${bad.v1} ${bad.v1a} ${good.jwt}`)).toBe("jwt");
    expect(await judgeHeader(`${good.jwt} ${bad.v1a} ${bad.v1}`)).toBe("jwt");
    expect(await judgeHeader(`${bad.jwt} ${good.jwt}`)).toBe("jwt");
    expect(await judgeHeader(`${bad.v1a}  ${good.v1a} `)).toBe("v1a");
    expect(await judgeHeader(`${bad.v1} ${bad.v1a} ${bad.jwt}`)).toBe("signature_mismatch");
  });

  test("skips unknown versions", async () => {
    expect(await judgeHeader(`v2,AAAA ${good.v1a} v1b,something`)).toBe("v1a");
    expect(await judgeHeader(`v3,${good.jwt} v2,AAAA ${good.jwt}`)).toBe("jwt");
    expect(await judgeHeader("v2,AAAA v3,BBBB")).toBe("unaccepted_scheme");
  });

  test.for(["", "v1,", "Bearer ", "bearer  "])("takes a JWT with %j before it", async (prefix) => {
    expect(await judgeHeader(prefix + good.jwt)).toBe("jwt");
    expect(await judgeHeader(prefix + bad.jwt)).toBe("signature_mismatch");
  });

  test("does not read other text as a JWT", async () => {
    expect(await judgeHeader(`v1a,${good.jwt}`)).toBe("malformed_signature");
    expect(await judgeHeader(`Basic ${good.jwt}`)).toBe("malformed_signature");
    expect(await judgeHeader(`Bearer v1,${good.jwt}`)).toBe("unaccepted_scheme");
  });

  test("counts only with the schemes that fit the kind of the source", async () => {
    const onStatic = { ...everything, schemes: SCHEMES_OF.static };
    const onDynamic = { ...everything, schemes: SCHEMES_OF.dynamic };
    for (const dynamic of [good.v1a, good.jwt, `v1,${good.jwt}`, `Bearer ${good.jwt}`]) {
      expect(await judgeHeader(dynamic, onStatic)).toBe("unaccepted_scheme");
      expect(await judgeHeader(`${dynamic} ${good.v1}`, onStatic)).toBe("v1");
      expect(await judgeHeader(`${dynamic} ${bad.v1}`, onStatic)).toBe("signature_mismatch");
    }
    expect(await judgeHeader(good.v1, onDynamic)).toBe("unaccepted_scheme");
    expect(await judgeHeader(`${good.v1} ${bad.v1a}`, onDynamic)).toBe("signature_mismatch");
    expect(await judgeHeader(`${good.v1} ${good.v1a}`, onDynamic)).toBe("v1a");
    expect(await judgeHeader(good.v1a, { ...everything, schemes: ["jwt"] })).toBe("unaccepted_scheme");
    expect(await judgeHeader(good.jwt, { ...everything, schemes: ["v1a"] })).toBe("unaccepted_scheme");
    expect(await judgeHeader(good.v1, { ...everything, schemes: [] })).toBe("unaccepted_scheme");
  });

  test("is undecidable without a key set, unless a signature that needs none is good", async () => {
    const without = { ...everything, keySet: undefined };
    expect(await judgeHeader(good.v1a, without)).toBe("undecidable");
    expect(await judgeHeader(good.jwt, without)).toBe("undecidable");
    expect(await judgeHeader(`${bad.v1} ${good.v1a}`, without)).toBe("undecidable");
    expect(await judgeHeader(`${good.v1} ${good.v1a}`, without)).toBe("v1");
    expect(await judgeHeader(good.v1a, { ...without, publicKeys: [key.publicKey] })).toBe("v1a");
    // A request that no key set could make good is refused without one.
    expect(await judgeHeader("v1a,AAAA", without)).toBe("malformed_signature");
    expect(
      inAWord(await verifyWebhook(webhookOf({ signature: good.v1a, webhookId: undefined }), without, NOW_MS)),
    ).toBe("missing_header");
  });
});
