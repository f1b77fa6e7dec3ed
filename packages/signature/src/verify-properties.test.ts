// Tests with random bodies, ids and keys: signatures of other implementations are accepted, and refused after a change of
// any bit. A failure prints its seed, and `fc.assert(…, { seed, path })` repeats it.

import { createHash, createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

import fc from "fast-check";
import { type JWTPayload, SignJWT } from "jose";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";
import { describe, expect, test } from "vitest";

import { signV1a } from "../../../tests/support/signing/sign-v1a.ts";
import {
  AUDIENCE,
  currentKey,
  EVENT,
  inAWord,
  keySetOf,
  newEd25519Key,
  newRsaKey,
  NOW,
  NOW_MS,
  settingsOf,
  type TestKey,
  webhookOf,
} from "../../../tests/support/signing/test-webhooks.ts";
import { type ReceivedWebhook, verifyWebhook } from "../../../tests/support/signing/verify-webhook.ts";
import { readKeySet } from "./jwks.ts";
import { readSigningSecret } from "./secret.ts";
import { signV1 } from "./signing/v1.ts";
import type { VerificationSettings } from "./verification/scheme.ts";

const secretBytes = fc.uint8Array({ minLength: 16, maxLength: 80 }).map((bytes) => Buffer.from(bytes));
const webhookIds = fc.string({
  unit: fc.constantFrom(...Array.from("!\"#$%&'()*+,-/0123456789:;<=>?@AZ[]^_`az{|}~")),
  minLength: 1,
  maxLength: 256,
});
/** Bodies that the libraries can sign: they take a body as text. */
const texts = fc.oneof(
  fc.json(),
  fc.string({ unit: "binary", maxLength: 300 }).map((text) => text.toWellFormed()),
  fc.constantFrom("", "\0", "\r\n", "x".repeat(20_000)),
);
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const timestamps = fc.integer({ min: NOW - 300, max: NOW + 300 });
const events = fc.record({
  type: fc.string(),
  version: fc.constant("v1"),
  data: fc.dictionary(fc.string(), fc.jsonValue()),
});

const judge = async (webhook: ReceivedWebhook, settings: VerificationSettings) =>
  inAWord(await verifyWebhook(webhook, settings, NOW_MS));

/** Returns a copy with one changed bit. */
function flip(original: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(original);
  const index = Math.floor(bit / 8);
  copy.writeUInt8(copy.readUInt8(index) ^ (1 << (bit % 8)), index);
  return copy;
}

/** Changes a bit of a header. Its bytes are characters, as node:http reads them. */
const flipText = (text: string, bit: number) => flip(Buffer.from(text, "latin1"), bit).toString("latin1");

interface Sample {
  webhook: ReceivedWebhook & { signature: string };
  settings: VerificationSettings;
}

/** Yields each copy of the webhook with one changed bit in one of the fields, and a name for the bit. */
function* flipped(
  webhook: Sample["webhook"],
  fields: readonly (keyof ReceivedWebhook)[],
): Generator<[string, ReceivedWebhook]> {
  for (const field of fields) {
    const value = webhook[field] ?? "";
    for (let bit = 0; bit < value.length * 8; bit++) {
      const changed = typeof value === "string" ? flipText(value, bit) : flip(value, bit);
      yield [`${field}, bit ${bit}`, { ...webhook, [field]: changed }];
    }
  }
}

async function expectEveryFlipRefused({ webhook, settings }: Sample, fields: readonly (keyof ReceivedWebhook)[]) {
  expect((await verifyWebhook(webhook, settings, NOW_MS)).kind).toBe("accepted");
  let count = 0;
  for (const [what, changed] of flipped(webhook, fields)) {
    count += 1;
    const verdict = await verifyWebhook(changed, settings, NOW_MS);
    if (verdict.kind !== "refused") throw new Error(`${verdict.kind}: ${what}`);
  }
  expect(count).toBeGreaterThan(500);
}

/** Changes one bit of one of the fields. A fraction chooses the bit, so that fast-check can shrink it. */
function flipSome(
  webhook: Sample["webhook"],
  fields: readonly (keyof ReceivedWebhook)[],
  fraction: number,
): ReceivedWebhook {
  const sizes = fields.map((field) => (webhook[field] ?? "").length * 8);
  let bit = Math.floor(fraction * sizes.reduce((sum, size) => sum + size, 0));
  for (const [index, field] of fields.entries()) {
    const size = sizes[index] ?? 0;
    if (bit < size) {
      const value = webhook[field] ?? "";
      return { ...webhook, [field]: typeof value === "string" ? flipText(value, bit) : flip(value, bit) };
    }
    bit -= size;
  }
  throw new Error("unreachable");
}

const fractions = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const EVERYTHING = ["webhookId", "timestamp", "signature", "body"] as const;

describe("v1", () => {
  test.for([
    ["standardwebhooks", StandardWebhook],
    ["svix", SvixWebhook],
  ] as const)("a signature of %s is accepted, and signing here gives the same signature", async ([, Library]) => {
    await fc.assert(
      fc.asyncProperty(secretBytes, webhookIds, timestamps, texts, async (secret, webhookId, seconds, text) => {
        const whsec = `whsec_${secret.toString("base64")}`;
        const signature = new Library(whsec).sign(webhookId, new Date(seconds * 1000), text);
        const read = readSigningSecret(whsec);
        if ("fault" in read) throw new Error(read.fault);
        const hmacKeys = [currentKey(read.secret.key)];
        const webhook = { webhookId, timestamp: String(seconds), signature, body: Buffer.from(text) };
        expect(await judge(webhook, settingsOf({ schemes: ["v1"], hmacKeys }))).toBe("v1");
        expect(signV1(read.secret.key, webhookId, webhook.timestamp, webhook.body)).toBe(signature);
      }),
      { numRuns: 1_000 },
    );
  });

  test("a signature made here is accepted by standardwebhooks and svix", () => {
    // The libraries only know the clock of the machine.
    const timestamp = String(Math.floor(Date.now() / 1000));
    fc.assert(
      fc.property(secretBytes, webhookIds, texts, (secret, webhookId, text) => {
        const signature = signV1(createSecretKey(secret), webhookId, timestamp, Buffer.from(text));
        const whsec = `whsec_${secret.toString("base64")}`;
        const headers = (prefix: string) => ({
          [`${prefix}-id`]: webhookId,
          [`${prefix}-timestamp`]: timestamp,
          [`${prefix}-signature`]: signature,
        });
        const options = { jsonParse: false };
        expect(() => new StandardWebhook(whsec).verify(text, headers("webhook"), options)).not.toThrow();
        // The types of svix have no such options. svix always parses the body, so it needs JSON.
        if (isJson(text)) expect(() => new SvixWebhook(whsec).verify(text, headers("svix"))).not.toThrow();
      }),
      { numRuns: 500 },
    );
  });

  const sample = fc
    .record({ secret: secretBytes, webhookId: webhookIds, seconds: timestamps, body: bytes })
    .map(({ secret, webhookId, seconds, body }) => {
      const key = createSecretKey(secret);
      const timestamp = String(seconds);
      const webhook = { webhookId, timestamp, body, signature: signV1(key, webhookId, timestamp, body) };
      return { secret, webhook, settings: settingsOf({ hmacKeys: [currentKey(key)] }) };
    });

  test("a body that is not text is accepted, and refused after a change of any bit", async () => {
    await fc.assert(
      fc.asyncProperty(sample, fractions, async ({ webhook, settings }, fraction) => {
        expect(await judge(webhook, settings)).toBe("v1");
        const verdict = await verifyWebhook(flipSome(webhook, EVERYTHING, fraction), settings, NOW_MS);
        expect(verdict.kind).toBe("refused");
      }),
      { numRuns: 3_000 },
    );
  });

  test("a change of any bit of the key is refused", async () => {
    await fc.assert(
      fc.asyncProperty(sample, async ({ secret, webhook }) => {
        for (let bit = 0; bit < secret.length * 8; bit++) {
          const settings = settingsOf({ hmacKeys: [currentKey(createSecretKey(flip(secret, bit)))] });
          expect(await judge(webhook, settings)).toBe("signature_mismatch");
        }
      }),
      { numRuns: 10 },
    );
  });

  test("every single bit of an event's request", async () => {
    const key = createSecretKey(Buffer.alloc(32, 7));
    const { webhookId = "", timestamp = "", body } = webhookOf();
    const webhook = { webhookId, timestamp, body, signature: signV1(key, webhookId, timestamp, body) };
    await expectEveryFlipRefused({ webhook, settings: settingsOf({ hmacKeys: [currentKey(key)] }) }, EVERYTHING);
  });
});

const signByV1a = (signer: KeyObject, changes: Partial<ReceivedWebhook>) => {
  const { webhookId = "", timestamp = "", body } = webhookOf(changes);
  return { webhookId, timestamp, body, signature: signV1a(signer, webhookId, timestamp, body) };
};

describe("v1a", () => {
  const key = newEd25519Key("a");
  const keySet = keySetOf(newEd25519Key("another"), key);

  test("is accepted with any key of the set and with any configured key", async () => {
    await fc.assert(
      fc.asyncProperty(webhookIds, timestamps, bytes, fc.boolean(), async (webhookId, seconds, body, configured) => {
        const pair = generateKeyPairSync("ed25519");
        const jwk = { ...pair.publicKey.export({ format: "jwk" }) };
        const settings = configured ? { keySet, publicKeys: [pair.publicKey] } : { keySet: keySetOf(key, { jwk }) };
        const webhook = signByV1a(pair.privateKey, { webhookId, timestamp: String(seconds), body });
        expect(await judge(webhook, settingsOf(settings))).toBe("v1a");
        expect(await judge(webhook, settingsOf({ keySet }))).toBe("signature_mismatch");
      }),
      { numRuns: 500 },
    );
  });

  test("is refused after a change of any bit", async () => {
    await fc.assert(
      fc.asyncProperty(webhookIds, timestamps, bytes, fractions, async (webhookId, seconds, body, fraction) => {
        const webhook = signByV1a(key.key, { webhookId, timestamp: String(seconds), body });
        const verdict = await verifyWebhook(flipSome(webhook, EVERYTHING, fraction), settingsOf({ keySet }), NOW_MS);
        expect(verdict.kind).toBe("refused");
      }),
      { numRuns: 2_000 },
    );
  });

  test("every single bit of an event's request, and of the key", async () => {
    const webhook = signByV1a(key.key, {});
    await expectEveryFlipRefused({ webhook, settings: settingsOf({ keySet }) }, EVERYTHING);
    const x = Buffer.from(String(key.jwk["x"]), "base64url");
    for (let bit = 0; bit < x.length * 8; bit++) {
      const jwk = { ...key.jwk, x: flip(x, bit).toString("base64url") };
      expect(await judge(webhook, settingsOf({ keySet: keySetOf({ jwk }) }))).toBe("signature_mismatch");
    }
  });
});

/** Signs with jose itself. */
const signByJose = ({ key, kid, jwk }: TestKey, claims: JWTPayload) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: String(jwk["alg"]), kid, typ: "JWT" })
    .setAudience(AUDIENCE)
    .setIssuedAt(NOW)
    .setExpirationTime(NOW + 300)
    .sign(key);

const hashOf = (body: Buffer) => createHash("sha256").update(body).digest("base64url");

const flipMember = (key: TestKey, member: string) => {
  const value = Buffer.from(String(key.jwk[member]), "base64url");
  return Array.from({ length: value.length * 8 }, (_, bit) => ({
    ...key.jwk,
    [member]: flip(value, bit).toString("base64url"),
  }));
};

describe("JWTs", () => {
  const rsa = newRsaKey("rsa-1");
  const ed25519 = newEd25519Key("ed-1");
  const keySet = keySetOf(rsa, newEd25519Key("ed-2"), ed25519);
  const settings = settingsOf({ keySet });
  /** Each way to bind a body. */
  const bindings: Record<string, (event: Record<string, unknown>, body: Buffer) => JWTPayload> = {
    "under event": (event) => ({ event }),
    "under data": (event) => ({ data: event }),
    "as the claims themselves": (event) => ({ ...event }),
    "by a hash": (_event, body) => ({ body_hash: hashOf(body) }),
  };

  test.for([
    ["RS256", rsa, 100],
    ["EdDSA", ed25519, 300],
  ] as const)("%s: what jose signs is accepted, with the event bound in each way", async ([, key, numRuns]) => {
    await fc.assert(
      fc.asyncProperty(
        events,
        fc.constantFrom(...Object.keys(bindings)),
        webhookIds,
        async (event, binding, webhookId) => {
          // The body as JSON stores it, where -0 is 0.
          const body = Buffer.from(JSON.stringify(event));
          const claims = bindings[binding]?.(JSON.parse(body.toString()) as Record<string, unknown>, body) ?? {};
          const signature = await signByJose(key, claims);
          expect(await judge(webhookOf({ webhookId, body, signature }), settings)).toBe("jwt");
        },
      ),
      { numRuns },
    );
  });

  test("a change of any bit of the body is refused under a hash, and under the event unless it says the same", async () => {
    await fc.assert(
      fc.asyncProperty(
        events,
        fc.constantFrom(...Object.keys(bindings)),
        fractions,
        async (event, binding, fraction) => {
          const body = Buffer.from(JSON.stringify(event));
          const claims = bindings[binding]?.(JSON.parse(body.toString()) as Record<string, unknown>, body) ?? {};
          const signature = await signByJose(ed25519, claims);
          const changed = flipSome({ ...webhookOf(), signature, body }, ["body"], fraction);
          // "\u00e9" and "\u00E9" differ in one bit and are the same text.
          const isSame = binding !== "by a hash" && isDeepStrictEqual(parse(changed.body), JSON.parse(body.toString()));
          if (!isSame) expect(await judge(changed, settings)).toBe("body_mismatch");
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test.for([
    ["RS256", rsa],
    ["EdDSA", ed25519],
  ] as const)("%s: every single bit of the token and of an event's body", async ([, key]) => {
    const { body } = webhookOf();
    for (const claims of [{ event: EVENT }, { sha256: hashOf(body) }]) {
      const signature = await signByJose(key, claims);
      for (const prefix of ["", "v1,", "Bearer "]) {
        const webhook = { ...webhookOf(), signature: prefix + signature };
        if (prefix === "") await expectEveryFlipRefused({ webhook, settings }, ["signature", "body"]);
        else expect(await judge(webhook, settings)).toBe("jwt");
      }
    }
  });

  test("a change of any bit of the key is refused", async () => {
    for (const [key, members] of [
      [rsa, ["n", "e"]],
      [ed25519, ["x"]],
    ] as const) {
      const webhook = webhookOf({ signature: await signByJose(key, { event: EVENT }) });
      for (const jwk of members.flatMap((member) => flipMember(key, member))) {
        // With its highest bit changed, the modulus is too short to be a key at all.
        const changed = readKeySet({ keys: [jwk] });
        const word = await judge(webhook, settingsOf({ keySet: changed }));
        expect(word).toBe(changed === undefined ? "undecidable" : "signature_mismatch");
      }
    }
  });

  test("a token signed with a key outside the set is refused, whatever key it names", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.option(fc.string(), { nil: undefined }),
        fc.constantFrom("rsa-1", "ed-1", "ed-2"),
        async (random, kid) => {
          const stranger = newEd25519Key(random ?? kid);
          const signature = await signByJose(stranger, { event: EVENT });
          expect(await judge(webhookOf({ signature }), settings)).toMatch(/^(unknown_key|signature_mismatch)$/);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("anything at all in the headers", () => {
  const key = createPublicKey(generateKeyPairSync("ed25519").publicKey.export({ format: "pem", type: "spki" }));
  const settings = settingsOf({
    hmacKeys: [currentKey(createSecretKey(Buffer.alloc(32)))],
    publicKeys: [key],
    keySet: keySetOf(newEd25519Key("a")),
  });
  const letters = fc.constantFrom(
    "v1",
    "v1a",
    ",",
    " ",
    ".",
    "=",
    "Bearer",
    "A",
    "e30",
    "eyJhbGciOiJub25lIn0",
    "\t",
    "ü",
    "-",
    "_",
    "+",
  );
  const headers = fc.oneof(fc.string({ unit: letters, maxLength: 60 }), fc.string({ maxLength: 60 }));

  test("is refused without an exception", async () => {
    await fc.assert(
      fc.asyncProperty(headers, fc.option(headers, { nil: undefined }), bytes, async (signature, webhookId, body) => {
        const verdict = await verifyWebhook({ webhookId, timestamp: String(NOW), signature, body }, settings, NOW_MS);
        expect(verdict.kind).toBe("refused");
      }),
      { numRuns: 2_000 },
    );
  });
});

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return undefined;
  }
}

const isJson = (text: string) => parse(Buffer.from(text)) !== undefined;
