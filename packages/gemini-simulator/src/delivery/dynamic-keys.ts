// The keys that sign dynamic webhooks, and the key set that publishes them: three Ed25519 keys, as the live service has
// them, and one RSA key where tokens are signed as the guide says.

import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";

import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";

import type { Seeded } from "../seeded.ts";

/** `v1a` was seen on the live service. The guide says `jwt`. */
export type DynamicScheme = "v1a" | "jwt";

interface SigningPair {
  kid: string;
  privateKey: KeyObject;
  jwk: Record<string, unknown>;
}

const ED25519_KEYS = 3;
/** The form PKCS #8 of an Ed25519 key up to its seed (RFC 8410, section 7). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

export class DynamicKeys {
  readonly #seeded: Seeded;
  readonly #pairs: SigningPair[];
  #tokenKey: ReturnType<typeof rsaPair> | undefined;

  constructor(seeded: Seeded) {
    this.#seeded = seeded;
    this.#pairs = Array.from({ length: ED25519_KEYS }, (_, index) => ed25519Pair(seeded, index));
  }

  /** The key set as the endpoint publishes it. @param scheme `jwt` adds the key that signs tokens. */
  async keySet(scheme: DynamicScheme): Promise<{ keys: Record<string, unknown>[] }> {
    const keys = this.#pairs.map(({ jwk }) => jwk);
    return { keys: scheme === "jwt" ? [...keys, (await this.#tokenPair()).jwk] : keys };
  }

  /** @returns a header `v1a,<base64>`. One of the three keys signs, and the header does not say which. */
  signV1a(webhookId: string, timestamp: number, body: string): string {
    const index = Math.floor(this.#seeded.share("v1a", webhookId) * ED25519_KEYS);
    const pair = this.#pairs[index];
    if (pair === undefined) throw new Error("There is no key");
    return `v1a,${sign(null, Buffer.from(`${webhookId}.${timestamp}.${body}`), pair.privateKey).toString("base64")}`;
  }

  /** @returns a token (RS256, `kid` in its header) as the whole of the header. */
  async signToken(claims: JWTPayload): Promise<string> {
    const { kid, privateKey } = await this.#tokenPair();
    return new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid, typ: "JWT" }).sign(privateKey);
  }

  /** An RSA key takes a while to make, and few need one. */
  #tokenPair() {
    this.#tokenKey ??= rsaPair(this.#seeded);
    return this.#tokenKey;
  }
}

function ed25519Pair(seeded: Seeded, index: number): SigningPair {
  const der = Buffer.concat([PKCS8_PREFIX, seeded.bytes(32, "ed25519", index)]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const kid = seeded.bytes(20, "kid", index).toString("hex");
  const jwk = createPublicKey(privateKey).export({ format: "jwk" });
  return { kid, privateKey, jwk: { ...jwk, kid, alg: "EdDSA", use: "sig" } };
}

async function rsaPair(seeded: Seeded) {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  const kid = seeded.bytes(20, "kid", "rsa").toString("hex");
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: "RS256", use: "sig" } };
}
