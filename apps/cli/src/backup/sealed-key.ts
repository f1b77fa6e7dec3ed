// The master key in a backup, sealed with a passphrase. The passphrase is stretched by scrypt (RFC 7914), so that
// guessing one costs 128 MiB and a part of a second each time.

import { createCipheriv, createDecipheriv, randomBytes, scrypt, type ScryptOptions } from "node:crypto";
import { promisify } from "node:util";

import { SluiceError } from "@sluice/shared/runtime/errors";
import { z } from "zod";

/** The least that OWASP's cheat sheet on the storage of passwords asks of scrypt. */
const COST = { N: 2 ** 17, r: 8, p: 1 };
/** More than scrypt needs for {@link COST}: 128 * N * r bytes. */
const MAX_MEMORY_BYTES = 192 * 1024 * 1024;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const SALT_BYTES = 16;

const bytes = (length: number) => z.base64().refine((text) => Buffer.from(text, "base64").length === length);

export const sealedKeySchema = z.object({
  kdf: z.literal("scrypt"),
  // A file that somebody changed must not choose how much memory this takes.
  N: z.literal(COST.N),
  r: z.literal(COST.r),
  p: z.literal(COST.p),
  salt: bytes(SALT_BYTES),
  cipher: z.literal("aes-256-gcm"),
  nonce: bytes(NONCE_BYTES),
  tag: bytes(16),
  ciphertext: z.base64(),
});

export type SealedKey = z.infer<typeof sealedKeySchema>;

/** @param owner binds the key to one relay. */
export async function sealKey(keyText: string, passphrase: string, owner: string): Promise<SealedKey> {
  const [salt, nonce] = [randomBytes(SALT_BYTES), randomBytes(NONCE_BYTES)];
  const cipher = createCipheriv("aes-256-gcm", await stretch(passphrase, salt), nonce).setAAD(Buffer.from(owner));
  const ciphertext = Buffer.concat([cipher.update(keyText, "utf8"), cipher.final()]);
  const encoded = {
    salt: salt.toString("base64"),
    nonce: nonce.toString("base64"),
    tag: cipher.getAuthTag().toString("base64"),
    ciphertext: ciphertext.toString("base64"),
  };
  return { kdf: "scrypt", ...COST, cipher: "aes-256-gcm", ...encoded };
}

/** @throws SluiceError `forbidden` when the passphrase is not the one. */
export async function unsealKey(sealed: SealedKey, passphrase: string, owner: string): Promise<string> {
  const key = await stretch(passphrase, Buffer.from(sealed.salt, "base64"));
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(sealed.nonce, "base64"))
      .setAAD(Buffer.from(owner))
      .setAuthTag(Buffer.from(sealed.tag, "base64"));
    return decipher.update(sealed.ciphertext, "base64", "utf8") + decipher.final("utf8");
  } catch (error) {
    throw new SluiceError("forbidden", "The passphrase does not open the master key of this backup", { cause: error });
  }
}

const runScrypt = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

const stretch = (passphrase: string, salt: Buffer): Promise<Buffer> =>
  // One text has several forms in Unicode, and the keyboard of another machine may write another one.
  runScrypt(passphrase.normalize("NFKC"), salt, KEY_BYTES, { ...COST, maxmem: MAX_MEMORY_BYTES });
