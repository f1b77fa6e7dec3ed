import { expect, test } from "vitest";

import { readKeySet } from "./jwks.ts";
import { newEd25519Key, newRsaKey } from "../../../tests/support/signing/test-webhooks.ts";

const ed25519 = newEd25519Key("ed-1");
const rsa = newRsaKey("rsa-1");

const countEd25519 = (...keys: unknown[]) => readKeySet({ keys })?.ed25519.length;

test("what is not a key set, or holds no key of use, is none", () => {
  for (const document of [
    undefined,
    null,
    "keys",
    5,
    [],
    [ed25519.jwk],
    {},
    { keys: {} },
    { keys: "none" },
    { keys: [] },
    { keys: [null, ed25519.jwk] },
    { keys: ["text"] },
    { keys: [{}] },
    { keys: [{ ...ed25519.jwk, use: "enc" }] },
    { keys: [{ ...ed25519.jwk, crv: "X25519" }] },
    { keys: [{ ...ed25519.jwk, x: "AAAA" }] },
    { keys: [{ ...ed25519.jwk, x: undefined }] },
    { keys: [{ ...rsa.jwk, n: "" }] },
    { keys: [newRsaKey("weak", 1024).jwk] },
    { keys: [{ kty: "oct", k: "c2VjcmV0", alg: "HS256" }] },
  ]) {
    expect(readKeySet(document), JSON.stringify(document)).toBeUndefined();
  }
});

test("keys of use are found among those of none, and v1a tries no key that is for something else", () => {
  expect(countEd25519({ kty: "EC" }, ed25519.jwk, rsa.jwk, {})).toBe(1);
  expect(countEd25519({ ...ed25519.jwk, use: "enc" }, rsa.jwk)).toBe(0);
  expect(countEd25519({ ...ed25519.jwk, use: undefined, alg: undefined, kid: undefined })).toBe(1);
});

test("a private key that was published by mistake verifies, and is not kept", async () => {
  const jwk = { ...ed25519.key.export({ format: "jwk" }), kid: "ed-1" };
  const keySet = readKeySet({ keys: [jwk] });
  expect(keySet?.ed25519.map(({ type }) => type)).toEqual(["public"]);
  expect(await keySet?.findJwtKey({ alg: "EdDSA", kid: "ed-1" })).toMatchObject({ type: "public" });
});

test("of a set that grew without bounds only the first 32 are tried", () => {
  expect(countEd25519(...Array.from({ length: 1_000 }, () => ed25519.jwk))).toBe(32);
});
