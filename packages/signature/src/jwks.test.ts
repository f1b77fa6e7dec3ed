import { expect, test } from "vitest";

import { newEd25519Key, newRsaKey } from "../../../tests/support/signing/test-webhooks.ts";
import { readKeySet } from "./jwks.ts";

const ed25519 = newEd25519Key("ed-1");
const rsa = newRsaKey("rsa-1");

const countEd25519 = (...keys: unknown[]) => readKeySet({ keys })?.ed25519.length;

test("a document that is not a key set, or has no usable key, gives no set", () => {
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

test("usable keys are found among others, and v1a does not try keys for other purposes", () => {
  expect(countEd25519({ kty: "EC" }, ed25519.jwk, rsa.jwk, {})).toBe(1);
  expect(countEd25519({ ...ed25519.jwk, use: "enc" }, rsa.jwk)).toBe(0);
  expect(countEd25519({ ...ed25519.jwk, use: undefined, alg: undefined, kid: undefined })).toBe(1);
});

test("a private key that was published by mistake verifies, but only its public part is kept", async () => {
  const jwk = { ...ed25519.key.export({ format: "jwk" }), kid: "ed-1" };
  const keySet = readKeySet({ keys: [jwk] });
  expect(keySet?.ed25519.map(({ type }) => type)).toEqual(["public"]);
  expect(await keySet?.findJwtKey({ alg: "EdDSA", kid: "ed-1" })).toMatchObject({ type: "public" });
});

test("only the first 32 keys of a very large set are used", () => {
  expect(countEd25519(...Array.from({ length: 1_000 }, () => ed25519.jwk))).toBe(32);
});
