// A JSON Web Key Set (RFC 7517) as a set of keys that verify: Ed25519 for `v1a`, and Ed25519 and RSA for JWTs.
// Pure: who fetches it, and when, is the gateway's jwks-cache.

import { createPublicKey, type KeyObject } from "node:crypto";
import { createLocalJWKSet, type JSONWebKeySet, type JWK } from "jose";

/** Google's, for dynamic webhooks of the Gemini API. */
export const DEFAULT_JWKS_URI = "https://generativelanguage.googleapis.com/.well-known/jwks.json";

/** Far above what a rotation publishes; each key of `v1a` is a try for every request. */
const MAX_KEYS = 32;
const MIN_RSA_BITS = 2048;

export interface KeySet {
  /** For `v1a`, whose header names no key. */
  ed25519: KeyObject[];
  /** For JWTs: finds the key by the token's `kid` and `alg`, never in the token. */
  findJwtKey: ReturnType<typeof createLocalJWKSet>;
}

/**
 * Reads a key set. Keys of other types and uses are left out.
 * @returns undefined when it is not a key set or holds no key that is of use: the last good one then stays.
 */
export function readKeySet(document: unknown): KeySet | undefined {
  if (!isKeySet(document)) return undefined;
  const usable = document.keys.slice(0, MAX_KEYS).filter((key) => key.use === undefined || key.use === "sig");
  const read = usable.flatMap((jwk) => {
    const key = readKey(jwk);
    return key === undefined ? [] : [{ jwk: toPublicJwk(jwk), key }];
  });
  if (read.length === 0) return undefined;
  return {
    ed25519: read.filter(({ key }) => key.asymmetricKeyType === "ed25519").map(({ key }) => key),
    findJwtKey: createLocalJWKSet({ keys: read.map(({ jwk }) => jwk) }),
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

/** Only the members that make a public key, whatever else was published. */
function toPublicJwk(jwk: JWK): JWK {
  const { kty, crv, x, n, e, kid, alg, use } = jwk;
  return Object.fromEntries(
    Object.entries({ kty, crv, x, n, e, kid, alg, use }).filter(([, value]) => value !== undefined),
  ) as JWK;
}
