// Tests that only minted callback tokens can be read.

import { createHmac, createSecretKey, randomBytes } from "node:crypto";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  type CallbackToken,
  MAX_CALLBACK_TOKEN_LENGTH,
  mintCallbackToken,
  readCallbackToken,
} from "./callback-token.ts";

const key = createSecretKey(randomBytes(32));
const TOKEN: CallbackToken = {
  id: "01890a5d-ac96-774b-bcce-b302099a8057",
  sourceId: "0110c853-1d09-72d8-973e-1194e95b5f19",
  labels: { job: "nightly", "customer.id": "42" },
  expiresAtMs: 1_795_305_600_123,
  singleUse: true,
};
const TEXT = mintCallbackToken(key, TOKEN);

const label = fc.stringMatching(/^[A-Za-z0-9_.-]{1,64}$/).filter((name) => name !== "__proto__");
const value = fc.string({ unit: "binary", maxLength: 128 });
const tokens = fc.record({
  id: fc.uuid({ version: 7 }),
  sourceId: fc.uuid({ version: 7 }),
  labels: fc.dictionary(label, value, { maxKeys: 5, noNullPrototype: true }),
  expiresAtMs: fc.maxSafeNat(),
  singleUse: fc.boolean(),
});
/** All characters that may stand in a path, and some that may not. */
const symbols = fc.oneof(
  fc.constantFrom(...Array.from({ length: 94 }, (_, index) => String.fromCodePoint(33 + index))),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }),
);

const mint = (length: number) => mintCallbackToken(key, { ...TOKEN, labels: { a: "x".repeat(length) } });

describe("a callback token", () => {
  test("is read as it was minted, whatever its labels say", () => {
    fc.assert(
      fc.property(tokens, (token) => {
        const text = mintCallbackToken(key, token);
        expect(readCallbackToken(key, text)).toEqual(token);
        expect(text).toMatch(/^cb_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/);
        expect(new URL(`http://a.example/in/b/${text}`).pathname).toBe(`/in/b/${text}`);
      }),
    );
  });

  test("is refused after any change of one character", () => {
    fc.assert(
      fc.property(tokens, fc.nat(), symbols, (token, at, symbol) => {
        const text = mintCallbackToken(key, token);
        const index = at % text.length;
        fc.pre(text[index] !== symbol);
        expect(readCallbackToken(key, text.slice(0, index) + symbol + text.slice(index + 1))).toBeUndefined();
      }),
      { numRuns: 5_000 },
    );
  });

  test("is refused after a change, a removal, a doubling or a cut at any place", () => {
    for (let index = 0; index < TEXT.length; index++) {
      const [before, symbol, after] = [TEXT.slice(0, index), TEXT.charAt(index), TEXT.slice(index + 1)];
      for (const other of "AQgw019-_.=/~ ") {
        if (other !== symbol) expect(readCallbackToken(key, before + other + after)).toBeUndefined();
      }
      for (const text of [before + after, before + symbol + symbol + after, before]) {
        if (text !== TEXT) expect(readCallbackToken(key, text)).toBeUndefined();
      }
    }
    for (const text of [`${TEXT}=`, `${TEXT}.`, ` ${TEXT}`, `${TEXT}\n`, TEXT.toUpperCase(), "", "cb_", "cb_.", "."]) {
      expect(readCallbackToken(key, text)).toBeUndefined();
    }
  });

  test("is refused with the MAC of another token, another key or another encoding", () => {
    const [payload = "", mac = ""] = TEXT.split(".");
    const [other = ""] = mintCallbackToken(key, { ...TOKEN, labels: {} }).split(".");
    const stranger = createSecretKey(randomBytes(32));
    expect(readCallbackToken(key, `${other}.${mac}`)).toBeUndefined();
    expect(readCallbackToken(stranger, TEXT)).toBeUndefined();
    expect(readCallbackToken(key, mintCallbackToken(stranger, TOKEN))).toBeUndefined();
    for (const encoding of ["base64", "hex"] as const) {
      const encoded = createHmac("sha256", key).update(payload).digest(encoding);
      expect(readCallbackToken(key, `${payload}.${encoded}`)).toBeUndefined();
    }
  });

  test("takes labels up to a length that proxies accept, and beyond it the error names the labels", () => {
    let longest = 0;
    for (let length = 5_600; length < 6_000; length++) {
      try {
        longest = mint(length).length;
      } catch {
        break;
      }
    }
    expect(longest).toBeLessThanOrEqual(MAX_CALLBACK_TOKEN_LENGTH);
    expect(longest).toBeGreaterThan(MAX_CALLBACK_TOKEN_LENGTH - 4);
    expect(`POST /in/${"s".repeat(64)}/${"x".repeat(longest)} HTTP/1.1\r\n`.length).toBeLessThan(8_192);
    expect(() => mint(6_000)).toThrow(
      expect.objectContaining({ code: "invalid_request", faults: [expect.objectContaining({ pointer: "/labels" })] }),
    );
  });

  test("that is too long is refused before it is hashed", () => {
    const payload = `cb_${"A".repeat(MAX_CALLBACK_TOKEN_LENGTH)}`;
    const mac = createHmac("sha256", key).update(payload).digest("base64url");
    expect(readCallbackToken(key, `${payload}.${mac}`)).toBeUndefined();
  });
});
