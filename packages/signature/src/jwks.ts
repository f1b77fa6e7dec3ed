// Reads the verification keys in a JSON Web Key Set (RFC 7517): Ed25519 for `v1a`, Ed25519 and RSA for JWTs. Pure: the
// gateway's jwks-cache decides when to fetch a key set.

import { createPublicKey, type KeyObject } from "node:crypto";

import { createLocalJWKSet, type JSONWebKeySet, type JWK } from "jose";

/** Google's key set for dynamic webhooks of the Gemini API. */
export const DEFAULT_JWKS_URI = "https://generativelanguage.googleapis.com/.well-known/jwks.json";

/**
 * Far more keys than a rotation publishes. The limit is needed because `v1a` tries each Ed25519 key for every request.
 */
const MAX_KEYS = 32;
const MIN_RSA_BITS = 2048;

export interface KeySet {
  /** Keys for `v1a`, whose header does not name a key. */
  ed25519: KeyObject[];
  /** Finds the key for a JWT by the token's `kid` and `alg`. It never takes a key out of the token. */
  findJwtKey: ReturnType<typeof createLocalJWKSet>;
}

/**
 * Reads a key set without the keys of other types and uses.
 * @returns undefined when the document is not a key set or has no usable key. The caller then keeps its last good set.
 */
export function readKeySet(document: unknown): KeySet | undefined {
  if (!isKeySet(document)) return undefined;
  const usable = document.keys.slice(0, MAX_KEYS).filter((key) => key.use === undefined || key.use === "sig");
  const keys = usable.flatMap((jwk) => {
    const key = readKey(jwk);
    return key === undefined ? [] : [{ jwk: toPublicJwk(jwk), key }];
  });
  if (keys.length === 0) return undefined;
  return {
    ed25519: keys.filter(({ key }) => key.asymmetricKeyType === "ed25519").map(({ key }) => key),
    findJwtKey: createLocalJWKSet({ keys: keys.map(({ jwk }) => jwk) }),
  };
}

function isKeySet(document: unknown): document is JSONWebKeySet {
  return (
    typeof document === "object" &&
    document !== null &&
    "keys" in document &&
    Array.isArray(document.keys) &&
    document.keys.every((key) => typeof key === "object" && key !== null)
  );
}

function readKey(jwk: JWK): KeyObject | undefined {
  if (!(jwk.kty === "OKP" && jwk.crv === "Ed25519") && jwk.kty !== "RSA") return undefined;
  try {
    const key = createPublicKey({ key: toPublicJwk(jwk), format: "jwk" });
    const bits = key.asymmetricKeyDetails?.modulusLength;
    return bits !== undefined && bits < MIN_RSA_BITS ? undefined : key;
  } catch {
    return undefined;
  }
}

/** Copies only the members of a public key: somebody may publish a private key by mistake. */
function toPublicJwk(jwk: JWK): JWK {
  const { kty, crv, x, n, e, kid, alg, use } = jwk;
  return Object.fromEntries(
    Object.entries({ kty, crv, x, n, e, kid, alg, use }).filter(([, value]) => value !== undefined),
  ) as JWK;
}
