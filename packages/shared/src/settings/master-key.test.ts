// Only the right key and the right owner decrypt a secret at rest, and nothing shows the key.

import { createHmac, randomBytes } from "node:crypto";
import { inspect } from "node:util";

import { describe, expect, test } from "vitest";

import { MasterKey, readMasterKey } from "./master-key.ts";

const bytes = randomBytes(32);
const key = new MasterKey(bytes);
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

describe("encryption at rest", () => {
  test.for(["", SECRET, "ü\u0000\u{1F511}", "x".repeat(100_000)])("an encrypted text decrypts", (text) => {
    expect(key.decrypt(key.encrypt(text, "src_1"), "src_1")).toBe(text);
  });

  test("each encryption of a text gives another ciphertext, which does not contain the text", () => {
    const sealed = [key.encrypt(SECRET, "src_1"), key.encrypt(SECRET, "src_1")];
    expect(sealed[0]).not.toEqual(sealed[1]);
    for (const one of sealed) expect(one.includes("whsec_")).toBe(false);
  });

  test("a row copied to another owner does not decrypt", () => {
    const sealed = key.encrypt(SECRET, "src_1");
    expect(() => key.decrypt(sealed, "src_2")).toThrow(expect.objectContaining({ code: "master_key_mismatch" }));
  });

  test("another key does not decrypt", () => {
    const sealed = new MasterKey(randomBytes(32)).encrypt(SECRET, "src_1");
    expect(() => key.decrypt(sealed, "src_1")).toThrow(expect.objectContaining({ code: "master_key_mismatch" }));
  });

  test("a ciphertext with a changed bit or a shorter length does not decrypt", () => {
    const sealed = key.encrypt("secret", "src_1");
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(() => key.decrypt(changed, "src_1"), `bit ${bit}`).toThrow(/does not decrypt/);
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(() => key.decrypt(sealed.subarray(0, length), "src_1"), `${length} bytes`).toThrow(/does not decrypt/);
    }
  });
});

describe("reading a key", () => {
  test.for([
    ["base64", bytes.toString("base64")],
    ["base64 with a line break", `${bytes.toString("base64")}\n`],
    ["hex", bytes.toString("hex")],
    ["capital hex", bytes.toString("hex").toUpperCase()],
  ])("%s is read", ([, text]) => {
    const read = readMasterKey(text ?? "");
    expect(read?.decrypt(key.encrypt(SECRET, "x"), "x")).toBe(SECRET);
  });

  test.for([
    ["nothing", ""],
    ["31 bytes", randomBytes(31).toString("base64")],
    ["33 bytes", randomBytes(33).toString("base64")],
    ["a passphrase", "correct horse battery staple"],
    ["a passphrase that holds 43 letters of base64", "Correct horse battery staple, and many more words of it!"],
  ])("%s is refused", ([, text]) => {
    expect(readMasterKey(text ?? "")).toBeUndefined();
  });
});

const derive = (from: MasterKey, purpose: string) => from.deriveKey(purpose).export().toString("hex");

describe("derived keys", () => {
  test("are HKDF-SHA256 of the key, so that they are the same at every start", () => {
    // RFC 5869, written out: an empty salt stands for zeros, and 32 bytes are one block.
    const extracted = createHmac("sha256", Buffer.alloc(32)).update(bytes).digest();
    const expected = createHmac("sha256", extracted).update("urls").update(Buffer.of(1)).digest("hex");
    expect(derive(new MasterKey(Buffer.from(bytes)), "urls")).toBe(expected);
  });

  test("differ by purpose and by key, and are not the key", () => {
    const keys = [
      derive(key, "a"),
      derive(key, "b"),
      derive(new MasterKey(randomBytes(32)), "a"),
      bytes.toString("hex"),
    ];
    expect(new Set(keys).size).toBe(4);
  });
});

test("printing a key does not show it", () => {
  for (const shown of [inspect(key, { depth: 9, showHidden: true }), JSON.stringify({ key })]) {
    for (const encoding of ["base64", "hex", "latin1"] as const) expect(shown).not.toContain(bytes.toString(encoding));
    expect(shown).not.toContain(inspect(bytes).slice(8, 40));
  }
});
