// Signs a JWT as dynamic webhooks carry it. For tests: the relay itself only signs with `v1`.

import type { KeyObject } from "node:crypto";

import { type JWTPayload, SignJWT } from "jose";

export interface SigningKey {
  key: KeyObject;
  kid: string;
}

/** @returns a complete `webhook-signature` header. The type of the key decides the algorithm. */
export async function signJwt({ key, kid }: SigningKey, claims: JWTPayload): Promise<string> {
  const alg = key.asymmetricKeyType === "ed25519" ? "EdDSA" : "RS256";
  return new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(key);
}
