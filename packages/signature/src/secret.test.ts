// Tests which signing secrets are refused, and that a fault never repeats the secret.

import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";

import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";

import { readPrivateKey } from "../../../tests/support/signing/read-private-key.ts";
import { generateSigningSecret, readPublicKey, readSigningSecret, truncateSecret } from "./secret.ts";

/** The result of reading a secret, with the bytes of its key. */
function read(text: string) {
  const result = readSigningSecret(text);
  return "fault" in result ? result : { key: result.secret.key.export(), text: result.secret.text };
}

describe("readSigningSecret", () => {
  test("takes a secret of 32 bytes, as Gemini gives, and ignores the white space around it", () => {
    const text = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;
    expect(read(`\t${text} \n`)).toEqual({ key: Buffer.alloc(32, 9), text });
  });

  test("takes the shortest allowed secret, and a secret without its padding", () => {
    const key = Buffer.alloc(16, 9);
    for (const encoded of [key.toString("base64"), key.toString("base64").replaceAll("=", "")]) {
      expect(read(`whsec_${encoded}`)).toEqual({ key, text: `whsec_${encoded}` });
    }
  });

  test.for([
    ["nothing", "", /must start with/],
    ["only the prefix", "whsec_", /at least 16 bytes/],
    ["no prefix", randomBytes(32).toString("base64"), /must start with/],
    ["another prefix", `whsk_${randomBytes(32).toString("base64")}`, /must start with/],
    ["15 bytes", `whsec_${randomBytes(15).toString("base64")}`, /at least 16 bytes/],
    ["other letters", `whsec_${"*".repeat(44)}`, /base64/],
    ["base64url", `whsec_${Buffer.alloc(32, 0xff).toString("base64url")}`, /base64/],
    ["white space inside", `whsec_${"AAAA ".repeat(10)}`, /base64/],
    ["padding inside", `whsec_AA==${"A".repeat(40)}`, /base64/],
    ["a length that base64 cannot have", `whsec_${"A".repeat(41)}`, /base64/],
  ] as const)("refuses %s, and does not repeat it", ([, text, fault]) => {
    const refused = readSigningSecret(text);
    expect(refused).toEqual({ fault: expect.stringMatching(fault) });
    if (text.length > 6) expect(JSON.stringify(refused)).not.toContain(text.slice(6));
  });
});

test("a generated secret has 32 random bytes, can be read, and works in standardwebhooks", () => {
  const [first, second] = [generateSigningSecret(), generateSigningSecret()];
  expect(first.text).not.toBe(second.text);
  expect(first.key.symmetricKeySize).toBe(32);
  expect(readSigningSecret(first.text)).toEqual({ secret: first });
  expect(() => new Webhook(first.text)).not.toThrow();
});

test("a truncated secret shows its last four letters, as Gemini does", () => {
  expect(truncateSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMnM=")).toBe("whsec_...MnM=");
});

describe("keys of v1a", () => {
  const { publicKey } = generateKeyPairSync("ed25519");
  const raw = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const text = `whpk_${raw.toString("base64")}`;

  test("are read without the white space around them", () => {
    const result = readPublicKey(`\n ${text}\t`);
    expect("key" in result && [result.key.equals(publicKey), result.text]).toEqual([true, text]);
  });

  test.for([
    ["nothing", ""],
    ["only the prefix", "whpk_"],
    ["no prefix", raw.toString("base64")],
    ["a secret's prefix", `whsec_${raw.toString("base64")}`],
    ["31 bytes", `whpk_${raw.subarray(1).toString("base64")}`],
    ["33 bytes", `whpk_${Buffer.concat([raw, raw.subarray(0, 1)]).toString("base64")}`],
    ["no padding", text.replace("=", "")],
    ["base64url", `whpk_${Buffer.alloc(32, 0xff).toString("base64url")}=`],
    ["white space inside", text.replace("_", "_ ")],
  ] as const)("are refused with %s", ([, given]) => {
    expect(readPublicKey(given)).toEqual({ fault: expect.stringMatching(/32 bytes/) });
  });

  test("are a pair when they come from one whsk_ key", () => {
    const whsk = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    const result = readPublicKey("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=");
    expect("key" in result && createPublicKey(readPrivateKey(whsk)).equals(result.key)).toBe(true);
    for (const wrong of ["", "whsk_", whsk.slice(5), whsk.slice(0, -8)]) {
      expect(() => readPrivateKey(wrong)).toThrow("not a whsk_ key");
    }
  });
});
