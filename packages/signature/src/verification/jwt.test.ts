// Tests which JWTs are accepted as signatures, and that the attacks of RFC 8725 are refused, each with its reason.

import { createHash, createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

import { CompactEncrypt, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, test } from "vitest";

import { cpuTimeMs } from "../../../../tests/support/cpu-time.ts";
import {
  AUDIENCE,
  EVENT,
  GOOD_CLAIMS,
  inAWord,
  keySetOf,
  newEd25519Key,
  newRsaKey,
  NOW,
  NOW_MS,
  settingsOf,
  tokenOf,
  webhookOf,
} from "../../../../tests/support/signing/test-webhooks.ts";
import { type ReceivedWebhook, verifyWebhook } from "../../../../tests/support/signing/verify-webhook.ts";
import type { VerificationSettings } from "./scheme.ts";

const rsa = newRsaKey("rsa-1");
const ed25519 = newEd25519Key("ed-1");
/** The key of an attacker, with a kid of the set. */
const forged = newRsaKey("rsa-1");
const keySet = keySetOf(rsa, ed25519);
const dynamic = settingsOf({ schemes: ["v1a", "jwt"], keySet });

interface Changes {
  settings?: Partial<VerificationSettings>;
  webhook?: Partial<ReceivedWebhook>;
}

const judgeFully = (token: string, { settings, webhook }: Changes = {}) =>
  verifyWebhook(webhookOf({ signature: token, ...webhook }), { ...dynamic, ...settings }, NOW_MS);

const judge = async (token: string, changes: Changes = {}) => inAWord(await judgeFully(token, changes));

const judgeClaims = async (claims: JWTPayload, changes: Changes = {}) => judge(await tokenOf(rsa, claims), changes);

const base64url = (text: string) => Buffer.from(text).toString("base64url");

/** Makes a token by hand, for tokens that jose does not make. */
function craft(header: string, payload: string, signer: (input: string) => Buffer): string {
  const input = `${base64url(header)}.${base64url(payload)}`;
  return `${input}.${signer(input).toString("base64url")}`;
}

const byRsa = (input: string) => sign("sha256", Buffer.from(input), rsa.key);
const RS256 = JSON.stringify({ alg: "RS256", kid: "rsa-1" });
const GOOD_PAYLOAD = JSON.stringify({ ...GOOD_CLAIMS, event: EVENT });

const withHeader = (header: Record<string, unknown>, key: KeyObject = rsa.key, claims: JWTPayload = GOOD_CLAIMS) =>
  new SignJWT({ ...claims, event: EVENT }).setProtectedHeader({ alg: "RS256", kid: "rsa-1", ...header }).sign(key);

const tokenIn = async (token: string) => {
  const verdict = await judgeFully(token);
  return verdict.kind === "accepted" ? verdict.token : undefined;
};

describe("accepted", () => {
  test.for([
    ["RS256", rsa],
    ["EdDSA", ed25519],
  ] as const)("%s by a key of the set", async ([, key]) => {
    const token = await tokenOf(key);
    expect(await judgeFully(token)).toEqual({
      kind: "accepted",
      scheme: "jwt",
      webhookId: "msg_1",
      body: webhookOf().body,
      userMetadata: undefined,
      bodyUnbound: false,
      token: { id: expect.stringMatching(/^[\w-]{43}$/), expiresAtMs: (NOW + 310) * 1000 },
    });
  });

  test("a token is named by its jti, else by what is signed, and by the time when it ends", async () => {
    const first = await tokenIn(await tokenOf(rsa, { jti: "msg_1" }));
    expect(await tokenIn(await tokenOf(rsa, { jti: "msg_1", iat: NOW - 1 }))).toEqual(first);
    expect((await tokenIn(await tokenOf(rsa, { jti: "msg_2" })))?.id).not.toBe(first?.id);
    const bare = await tokenIn(await tokenOf(rsa));
    expect((await tokenIn(await tokenOf(rsa, { iat: NOW - 1 })))?.id).not.toBe(bare?.id);
    for (const jti of [5, ["msg_1"], { length: 1 }]) {
      expect((await tokenIn(await tokenOf(rsa, { jti: jti as never })))?.id).not.toBe(bare?.id);
    }
    expect(await tokenIn(await tokenOf(rsa, { exp: undefined as never, iat: NOW - 100 }))).toMatchObject({
      expiresAtMs: (NOW + 200) * 1000,
    });
  });

  test("without a kid, when only one key of the set fits", async () => {
    expect(await judge(await withHeader({ kid: undefined }))).toBe("jwt");
  });

  test("a token made by hand, which proves that the tokens below are refused for their changes only", async () => {
    expect(await judge(craft(RS256, GOOD_PAYLOAD, byRsa))).toBe("jwt");
  });

  test("the event in each place, with another spelling of the body", async () => {
    for (const claims of [{ event: EVENT }, { event: undefined, data: EVENT }, { event: undefined, ...EVENT }]) {
      expect(await judgeClaims(claims)).toBe("jwt");
      const body = Buffer.from(JSON.stringify(EVENT, null, 2));
      expect(await judgeClaims(claims, { webhook: { body } })).toBe("jwt");
    }
  });

  test("a request without a body, whose event is in the claims", async () => {
    for (const claims of [{}, { event: undefined, data: EVENT }, { event: undefined, ...EVENT }]) {
      const verdict = await judgeFully(await tokenOf(rsa, claims), { webhook: { body: Buffer.alloc(0) } });
      expect(verdict).toMatchObject({ kind: "accepted", bodyUnbound: false });
      expect(verdict.kind === "accepted" && JSON.parse(verdict.body.toString())).toEqual(EVENT);
    }
  });

  test("a hash of the body in hex, base64 and base64url, with and without its name", async () => {
    const { body } = webhookOf();
    const hash = (encoding: "hex" | "base64" | "base64url") => createHash("sha256").update(body).digest(encoding);
    for (const name of ["body_hash", "body_sha256", "payload_hash", "sha256"]) {
      for (const value of [
        hash("hex"),
        hash("hex").toUpperCase(),
        hash("base64"),
        hash("base64url"),
        `sha256-${hash("base64")}`,
        `sha256=${hash("hex")}`,
        `SHA-256:${hash("base64url")}`,
      ]) {
        expect(await judgeClaims({ event: undefined, [name]: value }), `${name}: ${value}`).toBe("jwt");
      }
    }
  });

  test("without the headers webhook-id and webhook-timestamp, which jti and the times of the token replace", async () => {
    const webhook = { webhookId: undefined, timestamp: undefined };
    expect(await judgeFully(await tokenOf(rsa, { jti: "msg_jti" }), { webhook })).toMatchObject({
      webhookId: "msg_jti",
    });
    expect(await judgeClaims({}, { webhook })).toBe("missing_header");
    for (const jti of ["a.b", "", "x".repeat(257), "a b"]) {
      expect(await judgeClaims({ jti }, { webhook })).toBe("malformed_header");
    }
    for (const jti of [5, ["msg_1"], { length: 1 }, null]) {
      expect(await judgeClaims({ jti: jti as never }, { webhook })).toMatch(/^(malformed|missing)_header$/);
    }
  });

  test("user metadata in the claims, in both spellings", async () => {
    for (const name of ["user_metadata", "userMetadata"]) {
      const token = await tokenOf(rsa, { [name]: { job: "42" } });
      expect(await judgeFully(token)).toMatchObject({ userMetadata: { job: "42" } });
      expect(await judgeFully(await tokenOf(rsa, { [name]: ["no object"] }))).toMatchObject({
        userMetadata: undefined,
      });
    }
  });
});

describe("the algorithm", () => {
  test.for(["none", "None", "NONE", "nOnE"])('"%s", without a signature', async (alg) => {
    const unsigned = craft(JSON.stringify({ alg, kid: "rsa-1" }), GOOD_PAYLOAD, () => Buffer.alloc(0));
    expect(await judge(unsigned)).toBe("unaccepted_algorithm");
    expect(await judge(craft(JSON.stringify({ alg, kid: "rsa-1" }), GOOD_PAYLOAD, byRsa))).toBe("unaccepted_algorithm");
  });

  test("none, as jose makes it", async () => {
    const token = new UnsecuredJWT({ ...GOOD_CLAIMS, event: EVENT }).encode();
    expect(await judge(token)).toBe("unaccepted_algorithm");
  });

  test("RS256 without a signature", async () => {
    expect(await judge(craft(RS256, GOOD_PAYLOAD, () => Buffer.alloc(0)))).toBe("signature_mismatch");
  });

  test.for(["HS256", "HS384", "HS512"])("%s, keyed with the public key in each form", async (alg) => {
    const { n = "" } = rsa.publicKey.export({ format: "jwk" });
    const { x = "" } = ed25519.publicKey.export({ format: "jwk" });
    const secrets = [
      rsa.publicKey.export({ format: "pem", type: "spki" }),
      rsa.publicKey.export({ format: "pem", type: "pkcs1" }),
      String(rsa.publicKey.export({ format: "pem", type: "spki" })).trim(),
      rsa.publicKey.export({ format: "der", type: "spki" }),
      rsa.publicKey.export({ format: "der", type: "pkcs1" }),
      n,
      Buffer.from(n, "base64url"),
      x,
      Buffer.from(x, "base64url"),
      JSON.stringify(rsa.jwk),
      "",
    ];
    for (const secret of secrets) {
      const hmac = (input: string) => createHmac(alg.replace("HS", "sha"), secret).update(input).digest();
      for (const kid of ["rsa-1", "ed-1", undefined]) {
        expect(await judge(craft(JSON.stringify({ alg, kid }), GOOD_PAYLOAD, hmac))).toBe("unaccepted_algorithm");
      }
    }
  });

  test("PS256, RS384 and RS512 with the right key", async () => {
    for (const alg of ["PS256", "RS384", "RS512"]) {
      expect(await judge(await withHeader({ alg }))).toBe("unaccepted_algorithm");
    }
  });

  test("ES256, by a key of the set", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const jwk = { ...publicKey.export({ format: "jwk" }), kid: "ec-1" };
    const token = await withHeader({ alg: "ES256", kid: "ec-1" }, privateKey);
    expect(await judge(token, { settings: { keySet: keySetOf(rsa, { jwk }) } })).toBe("unaccepted_algorithm");
  });

  test("RS256 under the kid of an Ed25519 key, and EdDSA under that of an RSA key", async () => {
    expect(await judge(await withHeader({ kid: "ed-1" }))).toBe("unknown_key");
    expect(await judge(await withHeader({ alg: "EdDSA", kid: "rsa-1" }, ed25519.key))).toBe("unknown_key");
  });

  test("that is missing, or not text", async () => {
    for (const alg of [undefined, null, 256, ["RS256"], { RS256: true }, "", "rs256", "__proto__", "constructor"]) {
      const token = craft(JSON.stringify({ alg, kid: "rsa-1" }), GOOD_PAYLOAD, byRsa);
      expect(await judge(token), JSON.stringify(alg)).toMatch(/^(unaccepted_algorithm|malformed_signature)$/);
    }
  });
});

describe("the key", () => {
  test("forged under a kid of the set", async () => {
    expect(await judge(await withHeader({}, forged.key))).toBe("signature_mismatch");
  });

  test.for([
    "another",
    "",
    "RSA-1",
    "rsa-1 ",
    "../../../../dev/null",
    "/dev/null",
    "file:///etc/passwd",
    "https://attacker.example/jwks.json#rsa-1",
    "rsa-1' OR '1'='1",
    "__proto__",
    "0",
  ])("kid %j names no key", async (kid) => {
    expect(await judge(await withHeader({ kid }))).toBe("unknown_key");
    expect(await judge(await withHeader({ kid }, forged.key))).toBe("unknown_key");
  });

  test.for([[1], [null], [["rsa-1"]], [{ kid: "rsa-1" }]])("kid %j is not a kid", async ([kid]) => {
    expect(await judge(await withHeader({ kid }))).toBe("unknown_key");
  });

  test("no kid, when several keys of the set fit", async () => {
    const several = keySetOf(rsa, newRsaKey("rsa-2"));
    expect(await judge(await withHeader({ kid: undefined }), { settings: { keySet: several } })).toBe("unknown_key");
  });

  test("in the token is ignored: jwk, jku, x5u, x5c and x5t", async () => {
    const jwk = { ...forged.publicKey.export({ format: "jwk" }), kid: "attacker" };
    const x5c = [forged.publicKey.export({ format: "der", type: "spki" }).toString("base64")];
    const places: Record<string, unknown>[] = [
      { jwk },
      { jku: "http://127.0.0.1:9/jwks.json" },
      { x5u: "http://127.0.0.1:9/chain.pem" },
      { x5c },
      { x5t: "AAAA" },
    ];
    for (const place of places) {
      expect(await judge(await withHeader({ ...place, kid: "attacker" }, forged.key))).toBe("unknown_key");
      expect(await judge(await withHeader(place, forged.key))).toBe("signature_mismatch");
      // A token signed with the key of the set is good, whatever keys its header names.
      expect(await judge(await withHeader(place))).toBe("jwt");
    }
  });

  test("of 1024 bits in the set is not used", async () => {
    const weak = newRsaKey("weak", 1024);
    const token = craft(JSON.stringify({ alg: "RS256", kid: "weak" }), GOOD_PAYLOAD, (input) =>
      sign("sha256", Buffer.from(input), weak.key),
    );
    expect(await judge(token, { settings: { keySet: keySetOf(rsa, weak) } })).toBe("unknown_key");
    expect(() => keySetOf(weak)).toThrow("None of the keys is usable");
  });

  test("published for encryption, or for another algorithm, is not used", async () => {
    const token = await tokenOf(rsa);
    for (const change of [{ use: "enc" }, { alg: "RS512" }, { alg: "RSA-OAEP" }, { kty: "oct", k: "AAAA" }]) {
      const changed = { jwk: { ...rsa.jwk, ...change } };
      expect(await judge(token, { settings: { keySet: keySetOf(ed25519, changed) } })).toBe("unknown_key");
    }
  });

  test("of RSA with PSS parameters is not used for RS256", async () => {
    const pss = generateKeyPairSync("rsa-pss", { modulusLength: 2048 });
    const pem = pss.privateKey.export({ format: "pem", type: "pkcs8" });
    const token = craft(RS256, GOOD_PAYLOAD, (input) => sign("sha256", Buffer.from(input), createPrivateKey(pem)));
    expect(await judge(token)).toBe("signature_mismatch");
  });
});

describe("the claims", () => {
  test.for([
    ["another audience", { aud: "https://other.example" }],
    ["the audience as a beginning", { aud: `${AUDIENCE}/` }],
    ["the audience in upper case", { aud: AUDIENCE.toUpperCase() }],
    ["no audience", { aud: undefined }],
    ["an empty audience", { aud: "" }],
    ["an empty list of audiences", { aud: [] }],
    ["others in a list of audiences", { aud: ["https://other.example", ""] }],
    ["a list in a list", { aud: [[AUDIENCE]] as never }],
    ["an object", { aud: { [AUDIENCE]: true } as never }],
    ["null", { aud: null as never }],
  ])("%s: wrong_audience", async ([, claims]) => {
    expect(await judgeClaims(claims as JWTPayload)).toBe("wrong_audience");
  });

  test("an audience in a list of several is the audience", async () => {
    expect(await judgeClaims({ aud: ["https://other.example", AUDIENCE] })).toBe("jwt");
    expect(await judgeClaims({ aud: "two" }, { settings: { audiences: ["one", "two"] } })).toBe("jwt");
  });

  test("a source without audiences accepts no token", async () => {
    for (const aud of [AUDIENCE, "", [], undefined]) {
      expect(await judgeClaims({ aud: aud as never }, { settings: { audiences: [] } })).toBe("wrong_audience");
    }
  });

  test.for([
    ["expired", { exp: NOW - 10 }, "expired_token"],
    ["expired within the skew of clocks", { exp: NOW - 9 }, "jwt"],
    ["expired long ago and signed then", { iat: NOW - 86_400, exp: NOW - 86_000 }, "expired_token"],
    ["not valid yet", { nbf: NOW + 11 }, "future_timestamp"],
    ["valid from now, within the skew", { nbf: NOW + 10 }, "jwt"],
    ["made in the future", { iat: NOW + 301 }, "future_timestamp"],
    ["made in the future, within the tolerance", { iat: NOW + 300 }, "jwt"],
    ["without iat and exp", { iat: undefined, exp: undefined }, "expired_token"],
    ["without iat", { iat: undefined }, "jwt"],
    ["without exp, fresh", { exp: undefined, iat: NOW - 300 }, "jwt"],
    ["without exp, stale", { exp: undefined, iat: NOW - 301 }, "stale_timestamp"],
    ["with exp as text", { exp: String(NOW + 300) as never }, "malformed_signature"],
    ["with iat as text", { iat: String(NOW) as never }, "malformed_signature"],
    ["with exp null", { exp: null as never }, "malformed_signature"],
    ["with nbf as a list", { nbf: [NOW] as never }, "malformed_signature"],
  ] as const)("%s", async ([, claims, word]) => {
    expect(await judgeClaims(claims as JWTPayload)).toBe(word);
  });

  test.for([
    ["an hour from iat to exp", { iat: NOW - 60, exp: NOW + 3_540 }, "jwt"],
    ["more than an hour", { iat: NOW - 60, exp: NOW + 3_541 }, "excessive_lifetime"],
    ["ten years", { exp: NOW + 315_360_000 }, "excessive_lifetime"],
    ["ten years, without iat", { iat: undefined, exp: NOW + 315_360_000 }, "excessive_lifetime"],
    ["an hour, without iat", { iat: undefined, exp: NOW + 3_600 }, "jwt"],
  ] as const)("a lifetime of %s", async ([, claims, word]) => {
    expect(await judgeClaims(claims as JWTPayload)).toBe(word);
  });

  test("the longest lifetime is the source's own", async () => {
    const settings = { maxTokenSeconds: 100 };
    expect(await judgeClaims({ exp: NOW + 100 }, { settings })).toBe("jwt");
    expect(await judgeClaims({ exp: NOW + 101 }, { settings })).toBe("excessive_lifetime");
  });

  test("iss is checked where the source names issuers", async () => {
    const settings = { issuers: ["https://google.example", "other"] };
    expect(await judgeClaims({}, { settings })).toBe("jwt");
    for (const iss of ["https://google.example/", undefined, "", ["other"] as never]) {
      expect(await judgeClaims({ iss } as JWTPayload, { settings })).toBe("wrong_issuer");
      expect(await judgeClaims({ iss } as JWTPayload)).toBe("jwt");
    }
  });

  test("typ is checked where the source names types, with and without its prefix", async () => {
    const settings = { tokenTypes: ["webhook+jwt"] };
    for (const typ of ["webhook+jwt", "WEBHOOK+JWT", "application/webhook+jwt"]) {
      expect(await judge(await withHeader({ typ }), { settings })).toBe("jwt");
    }
    for (const typ of ["JWT", "at+jwt", undefined, "application/x/webhook+jwt"]) {
      expect(await judge(await withHeader({ typ }), { settings })).toBe("wrong_token_type");
      expect(await judge(await withHeader({ typ }))).toBe("jwt");
    }
  });

  test("the header webhook-timestamp counts too, when there is one", async () => {
    expect(await judgeClaims({}, { webhook: { timestamp: String(NOW - 301) } })).toBe("stale_timestamp");
    expect(await judgeClaims({}, { webhook: { timestamp: String(NOW + 301) } })).toBe("future_timestamp");
  });

  test("that are not an object", async () => {
    for (const payload of ["null", "5", '"text"', "[]", "", "{", `${GOOD_PAYLOAD} `.slice(1)]) {
      expect(await judge(craft(RS256, payload, byRsa))).toBe("malformed_signature");
    }
  });
});

const withNumber = (digits: string) => `{"type":"t","data":{"n":${digits}}}`;

const deep = (levels: number) => `{"type":"t","data":{"a":${"[".repeat(levels)}${"]".repeat(levels)}}}`;

describe("the body", () => {
  const other = Buffer.from(JSON.stringify({ ...EVENT, data: { id: "batch_666" } }));

  test("of another event, for each way to bind it", async () => {
    const hash = createHash("sha256").update(webhookOf().body).digest("hex");
    for (const claims of [
      {},
      { event: undefined, data: EVENT },
      { event: undefined, ...EVENT },
      { event: undefined, sha256: hash },
    ]) {
      for (const bodyUnbound of ["reject", "mark"] as const) {
        expect(await judgeClaims(claims, { webhook: { body: other }, settings: { bodyUnbound } })).toBe(
          "body_mismatch",
        );
      }
    }
  });

  test.for([
    ["a member more", { ...EVENT, extra: 1 }],
    ["a member less", { type: EVENT.type, version: EVENT.version, data: EVENT.data }],
    ["a list of it", [EVENT]],
    ["null", null],
  ])("with %s", async ([, value]) => {
    expect(await judgeClaims({}, { webhook: { body: Buffer.from(JSON.stringify(value)) } })).toBe("body_mismatch");
  });

  test("that only some readers take for the event of the token", async () => {
    const text = JSON.stringify(EVENT);
    for (const body of [
      `{"type":"video.generated",${text.slice(1)}`,
      text.replace('"id":', '"id":"batch_666","id":'),
      text.replace('"id":', '"\\u0069d":"batch_666","id":'),
      `\uFEFF${text}`,
      `${text}{}`,
      `${text}\0`,
    ]) {
      expect(await judgeClaims({}, { webhook: { body: Buffer.from(body) } }), body).toBe("body_mismatch");
    }
    const event = { type: "t", data: { n: 9_007_199_254_740_992 } };
    expect(await judgeClaims({ event }, { webhook: { body: Buffer.from(withNumber("9007199254740992")) } })).toBe(
      "jwt",
    );
    expect(await judgeClaims({ event }, { webhook: { body: Buffer.from(withNumber("9007199254740993")) } })).toBe(
      "body_mismatch",
    );
    const notUtf8 = Buffer.from(text.replace("batch_123456", "batch_\u{FFFD}"));
    const claims = { event: JSON.parse(notUtf8.toString()) as object };
    expect(await judgeClaims(claims, { webhook: { body: notUtf8 } })).toBe("jwt");
    const broken = Buffer.from(notUtf8.toString("latin1").replace("\u00EF\u00BF\u00BD", "\u00FF"), "latin1");
    expect(await judgeClaims(claims, { webhook: { body: broken } })).toBe("body_mismatch");
  });

  test("that does not match the hash", async () => {
    const { body } = webhookOf();
    const hash = createHash("sha256").update(body).digest("hex");
    for (const sha256 of [
      "",
      hash.slice(2),
      `${hash}00`,
      `sha512-${hash}`,
      null,
      5,
      [hash],
      { hex: hash },
      hash.replace(/^./, (c) => (c === "0" ? "1" : "0")),
    ]) {
      expect(await judgeClaims({ event: undefined, sha256 }), JSON.stringify(sha256)).toBe("body_mismatch");
    }
    // A right event does not make up for a wrong hash.
    expect(await judgeClaims({ sha256: "00" })).toBe("body_mismatch");
  });

  test("unbound is refused or marked, as the source says", async () => {
    for (const claims of [
      { event: undefined },
      { event: "text" },
      { event: { type: "no data" } },
      { event: undefined, data: { id: "x" } },
    ]) {
      expect(await judgeClaims(claims, { settings: { bodyUnbound: "reject" } })).toBe("body_unbound");
      const marked = await judgeFully(await tokenOf(rsa, claims), { settings: { bodyUnbound: "mark" } });
      expect(marked).toMatchObject({ kind: "accepted", bodyUnbound: true, body: webhookOf().body });
    }
    expect(await judgeClaims({}, { settings: { bodyUnbound: "mark" } })).toBe("jwt");
  });

  test("nested deeper than a stack is refused, not a crash", async () => {
    const payload = `${JSON.stringify(GOOD_CLAIMS).slice(0, -1)},"event":${deep(5_000)}}`;
    const token = craft(RS256, payload, byRsa);
    expect(token.length).toBeLessThan(16 * 1024);
    expect(await judge(token, { webhook: { body: Buffer.from(deep(5_000)) } })).toBe("malformed_signature");
    expect(await judgeClaims({}, { webhook: { body: Buffer.from(deep(500_000)) } })).toBe("body_mismatch");
    const event = JSON.parse(deep(100)) as object;
    expect(await judgeClaims({ event }, { webhook: { body: Buffer.from(deep(100)) } })).toBe("jwt");
  });
});

describe("a member that comes twice", () => {
  test.for([
    ["in the header", RS256.replace("{", '{"alg":"none",'), GOOD_PAYLOAD],
    ["in the header, escaped", RS256.replace("{", '{"\\u0061lg":"none",'), GOOD_PAYLOAD],
    ["in the header, after it", RS256.replace("}", ',"kid":"ed-1"}'), GOOD_PAYLOAD],
    ["in the payload", RS256, GOOD_PAYLOAD.replace("{", '{"aud":"https://other.example",')],
    ["in the payload, escaped", RS256, GOOD_PAYLOAD.replace("{", '{"\\u0061ud":"https://other.example",')],
    ["in the payload, escaped in part", RS256, GOOD_PAYLOAD.replace("{", '{"a\\u0075d":"https://other.example",')],
    ["in the payload, with white space", RS256, GOOD_PAYLOAD.replace("{", '{ "aud"\n:\t"https://other.example",')],
    ["in the payload, with the same value", RS256, GOOD_PAYLOAD.replace("{", `{"aud":"${AUDIENCE}",`)],
    ["nested in the payload", RS256, GOOD_PAYLOAD.replace('"data":{', '"data":{"id":"batch_666",')],
    ["nested, and escaped", RS256, GOOD_PAYLOAD.replace('"data":{', '"data":{"\\u0069\\u0064":"batch_666",')],
    ["nested in a list", RS256, GOOD_PAYLOAD.replace("{", '{"list":[0,{"a":1,"a":1}],')],
    ["as __proto__", RS256, GOOD_PAYLOAD.replace("{", '{"__proto__":{},"__proto__":{},')],
    ["as an empty name", RS256, GOOD_PAYLOAD.replace("{", '{"":1,"":2,')],
  ] as const)("%s", async ([, header, payload]) => {
    expect(await judge(craft(header, payload, byRsa))).toBe("malformed_signature");
  });

  test("is not found where there is none", async () => {
    for (const extra of [
      '"x":"\\"aud\\":1","y":"aud"',
      '"o":{"aud":1},"l":[{"a":1},{"a":1}]',
      '"\\\\u0061ud":1',
      '"a":{},"b":{}',
    ]) {
      expect(await judge(craft(RS256, GOOD_PAYLOAD.replace("{", `{${extra},`), byRsa)), extra).toBe("jwt");
    }
  });

  test("the detail names the number that is not exact, and where it is", async () => {
    const payload = GOOD_PAYLOAD.replace(/}$/, ',"batch":9007199254740993}');
    expect(await judgeFully(craft(RS256, payload, byRsa))).toMatchObject({
      reason: "malformed_signature",
      detail: expect.stringMatching(/in its claims, .* cannot store the number 9007199254740993$/),
    });
  });

  test("a number that a double cannot store exactly is ambiguous too", async () => {
    for (const number of ["9007199254740993", "1e400", "1e-400", "0.1000000000000000055511151231257827"]) {
      expect(await judge(craft(RS256, GOOD_PAYLOAD.replace("{", `{"n":${number},`), byRsa)), number).toBe(
        "malformed_signature",
      );
    }
    for (const number of [
      "0",
      "-0",
      "0.0",
      "1.50",
      "1E5",
      "1e+5",
      "1769083200.123456",
      "1769083200123456",
      "123456789012345e280",
      "-12.5e-3",
    ]) {
      expect(await judge(craft(RS256, GOOD_PAYLOAD.replace("{", `{"n":${number},`), byRsa)), number).toBe("jwt");
    }
  });
});

const sized = async (extra: number) => tokenOf(rsa, { padding: "x".repeat(extra) });

describe("the form", () => {
  test("a token of 1 MB is refused before it is parsed", async () => {
    const padded = await tokenOf(rsa, { padding: "x".repeat(1024 * 1024) });
    const startedAtMs = cpuTimeMs();
    expect(await judge(padded)).toBe("malformed_signature");
    expect(await judge("a".repeat(1024 * 1024))).toBe("malformed_signature");
    expect(await judge(".".repeat(1024 * 1024))).toBe("malformed_signature");
    expect(await judge("a.".repeat(512 * 1024))).toBe("malformed_signature");
    expect(await judge(" ".repeat(1024 * 1024))).toBe("malformed_signature");
    expect(await judge(`Bearer ${"a,".repeat(512 * 1024)}`)).toBe("unaccepted_scheme");
    // About 10 ms in all. Only code that is not linear reaches the limit.
    expect(cpuTimeMs() - startedAtMs).toBeLessThan(5_000);
  });

  test("a token at the limit is judged, one above it is not", async () => {
    const base = (await sized(0)).length;
    const fits = await sized(Math.floor(((16 * 1024 - base) * 3) / 4) - 2);
    expect(fits.length).toBeLessThanOrEqual(16 * 1024);
    expect(await judge(fits)).toBe("jwt");
    expect(await judge(await sized(12 * 1024))).toBe("malformed_signature");
  });

  test("crit is refused, whatever it names", async () => {
    for (const crit of [["exp"], ["b64"], [], ["kid"], "kid", [5]]) {
      const header = JSON.stringify({ alg: "RS256", kid: "rsa-1", crit, exp: NOW + 300, b64: true });
      const word = await judge(craft(header, GOOD_PAYLOAD, byRsa));
      // "b64": true is the only extension of JWS that jose knows, and it changes nothing (RFC 7797, 6).
      expect(word, String(crit)).toBe(JSON.stringify(crit) === '["b64"]' ? "jwt" : "malformed_signature");
    }
  });

  test("a payload that is not encoded (RFC 7797) is refused", async () => {
    const header = base64url(JSON.stringify({ alg: "RS256", kid: "rsa-1", b64: false, crit: ["b64"] }));
    const payload = base64url(GOOD_PAYLOAD);
    const token = `${header}.${payload}.${byRsa(`${header}.${payload}`).toString("base64url")}`;
    expect(await judge(token)).toBe("malformed_signature");
  });

  test("an encrypted token (JWE) is refused", async () => {
    const jwe = await new CompactEncrypt(Buffer.from(GOOD_PAYLOAD))
      .setProtectedHeader({ alg: "RSA-OAEP-256", enc: "A256GCM", kid: "rsa-1" })
      .encrypt(rsa.publicKey);
    expect(await judge(jwe)).toBe("malformed_signature");
    expect(await judge(`Bearer ${jwe}`)).toBe("unaccepted_scheme");
    // The first three parts of a JWE look like a token.
    expect(await judge(jwe.split(".").slice(0, 3).join("."))).toMatch(/^(malformed_signature|unaccepted_algorithm)$/);
  });

  test("a token in JSON serialization is refused", async () => {
    const [header = "", payload = "", signature = ""] = (await tokenOf(rsa)).split(".");
    expect(await judge(JSON.stringify({ protected: header, payload, signature }))).toBe("malformed_signature");
  });

  test("another spelling of the same token is refused", async () => {
    const token = await tokenOf(rsa);
    const [header = "", payload = "", signature = ""] = token.split(".");
    const spelled = [
      `${token}=`,
      `${token}==`,
      `${header}=.${payload}.${signature}`,
      `${header}.${payload}==.${signature}`,
      `${header}.${payload}.${signature.replaceAll("-", "+").replaceAll("_", "/")}`,
      `${token}.`,
      `.${token}`,
      `${header}.${payload}\n.${signature}`,
      `${header}. ${payload}.${signature}`,
      `${token}\n`,
      `\t${token}`,
      `${token}\0`,
      `${token}%20`,
      `"${token}"`,
    ];
    for (const each of spelled) expect(await judge(each), JSON.stringify(each)).not.toBe("jwt");
    // The last letter of 256 bytes in base64url has four unused bits.
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet.indexOf(signature.at(-1) ?? "");
    for (let spare = 1; spare < 16; spare++) {
      const twin = `${header}.${payload}.${signature.slice(0, -1)}${alphabet[last ^ spare]}`;
      expect(Buffer.from(twin.split(".")[2] ?? "", "base64url")).toEqual(Buffer.from(signature, "base64url"));
      expect(await judge(twin)).toBe("malformed_signature");
    }
  });

  test("a signature with bytes before or after it is refused", async () => {
    for (const wrap of [
      (bytes: Buffer) => Buffer.concat([Buffer.alloc(1), bytes]),
      (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(1)]),
      (bytes: Buffer) => bytes.subarray(1),
      (bytes: Buffer) => Buffer.alloc(bytes.length),
      (bytes: Buffer) => Buffer.alloc(bytes.length, 0xff),
    ]) {
      expect(await judge(craft(RS256, GOOD_PAYLOAD, (input) => wrap(byRsa(input))))).toBe("signature_mismatch");
    }
  });

  test("parts of two good tokens do not make a good token", async () => {
    const [one, two] = [(await tokenOf(rsa)).split("."), (await tokenOf(rsa, { jti: "other" })).split(".")];
    expect(await judge([one[0], two[1], one[2]].join("."))).toBe("signature_mismatch");
    expect(await judge([(await tokenOf(ed25519)).split(".")[0], one[1], one[2]].join("."))).toBe("signature_mismatch");
  });
});
