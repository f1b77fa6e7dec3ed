// Encrypts secrets at rest with AES-256-GCM under the master key. Each ciphertext is bound to the id of its owner, so a
// row that somebody copies to another owner does not decrypt. Every other purpose has a derived key of its own.

import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from "node:crypto";

import { SluiceError } from "../runtime/errors.ts";

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const DERIVED_BYTES = 32;

/** Encrypts and decrypts with one key, and derives others from it. `console.log` and JSON do not show the key. */
export class MasterKey {
  readonly #key: Buffer;

  /** @param key 32 bytes. @throws SluiceError `invalid_configuration` for any other length. */
  constructor(key: Buffer) {
    if (key.length !== 32) throw new SluiceError("invalid_configuration", "MASTER_KEY must be 32 bytes in base64");
    this.#key = key;
  }

  /** @returns version, nonce, tag and ciphertext, one after the other. */
  encrypt(plaintext: string, ownerId: string): Buffer {
    // A random 96-bit nonce is safe for 2^32 messages under one key (NIST SP 800-38D, 8.3). A relay holds a few
    // thousand secrets.
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce).setAAD(Buffer.from(ownerId));
    const body = Buffer.concat([cipher.update(plaintext, "utf8"), cipher.final()]);
    return Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), body]);
  }

  /** @throws SluiceError `master_key_mismatch` when the key, the owner or the bytes differ from those of `encrypt`. */
  decrypt(sealed: Buffer, ownerId: string): string {
    try {
      if (sealed[0] !== VERSION) throw new Error("unknown version");
      const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
      const tag = sealed.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES);
      const decipher = createDecipheriv("aes-256-gcm", this.#key, nonce, { authTagLength: TAG_BYTES })
        .setAAD(Buffer.from(ownerId))
        .setAuthTag(tag);
      return decipher.update(sealed.subarray(1 + NONCE_BYTES + TAG_BYTES), undefined, "utf8") + decipher.final("utf8");
    } catch (error) {
      throw new SluiceError(
        "master_key_mismatch",
        "A stored secret does not decrypt with this MASTER_KEY; set the key with which this database was made",
        { cause: error },
      );
    }
  }

  /**
   * An HMAC key for one purpose (HKDF-SHA256, RFC 5869). It reveals neither this key nor the key of another purpose.
   */
  deriveKey(purpose: string): KeyObject {
    // The salt is empty, because the master key is random already (RFC 5869, 3.1).
    return createSecretKey(Buffer.from(hkdfSync("sha256", this.#key, "", purpose, DERIVED_BYTES)));
  }

  /** An encryption key for one purpose, derived as in {@link deriveKey}. */
  derive(purpose: string): MasterKey {
    return new MasterKey(this.deriveKey(purpose).export());
  }
}

/** Reads a key of 32 bytes in base64 or hexadecimal. Undefined when the text is neither. */
export function readMasterKey(text: string): MasterKey | undefined {
  const trimmed = text.trim();
  if (/^[0-9a-f]{64}$/i.test(trimmed)) return new MasterKey(Buffer.from(trimmed, "hex"));
  // The alphabet is checked here, because Buffer.from skips characters that are not base64: a passphrase could pass as
  // a key.
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed) ? new MasterKey(Buffer.from(trimmed, "base64")) : undefined;
}
