// What the verifier needs from each scheme: which signatures of a header belong to the scheme, and whether one of them
// is good.

import type { KeyObject } from "node:crypto";

import type { KeySet } from "../jwks.ts";
import type { Refusal } from "../refusal.ts";
import type { BodyUnboundPolicy, Scheme } from "../schemes.ts";
import type { HmacKey } from "../secret.ts";

/** The settings of a source that decide which signatures are good. */
export interface VerificationSettings {
  schemes: readonly Scheme[];
  toleranceSeconds: number;
  /** Keys for `v1`. */
  hmacKeys: readonly HmacKey[];
  /** Configured keys for `v1a`. The keys of the key set are valid too. */
  publicKeys: readonly KeyObject[];
  /** A JWT must name one of these audiences. */
  audiences: readonly string[];
  /** A JWT must come from one of these issuers (`iss`). Empty: from anyone who holds a key of the key set. */
  issuers: readonly string[];
  /** A JWT must have one of these types (`typ`). Empty: any type, or none. */
  tokenTypes: readonly string[];
  /** The longest time between `iat` and `exp` of a JWT. */
  maxTokenSeconds: number;
  bodyUnbound: BodyUnboundPolicy;
  /** Keys for `v1a` and JWTs. Undefined until the first fetch of the key set succeeds. */
  keySet?: KeySet | undefined;
}

/** A request whose id and timestamp are well-formed, and whose timestamp is fresh. Both may be missing. */
export interface SignedRequest {
  webhookId: string | undefined;
  timestamp: string | undefined;
  body: Buffer;
}

export interface Acceptance {
  kind: "accepted";
  /** The id in the headers. Without that header, the id in the token. */
  webhookId: string;
  /** The body of the request. If the request has none, the body that the token carries. */
  body: Buffer;
  /** The metadata in the claims of the token. */
  userMetadata: Record<string, unknown> | undefined;
  /** True when the signature proves the sender but not the body. */
  bodyUnbound: boolean;
  /** The token that proved the request. Undefined for `v1` and `v1a`, which sign the id themselves. */
  token: SpentToken | undefined;
}

/**
 * A JWT does not sign the header `webhook-id`. Whoever captures one token could therefore send it under many ids, so the
 * relay lets a token prove only the id that it came with first.
 */
export interface SpentToken {
  /** SHA-256 of the claim `jti`, or of what is signed where there is none; in base64url. */
  id: string;
  /** When the token is refused anyway; milliseconds since 1970. */
  expiresAtMs: number;
}

/** Nobody can judge the request without a key set: the sender should come back. */
export interface Undecidable {
  kind: "undecidable";
}

export type SchemeVerdict = Acceptance | Refusal | Undecidable;

export interface VerificationScheme {
  name: Scheme;
  /** Whether the signature covers the id and the timestamp, so that neither may be missing. */
  signsHeaders: boolean;
  /** @returns the signature in a part of the header, or undefined when the part belongs to another scheme. */
  read: (part: string) => string | undefined;
  /** `v1` decides synchronously. A JWT needs WebCrypto, and `v1a` another thread: both work with promises. */
  verify: (
    signatures: readonly string[],
    request: SignedRequest,
    settings: VerificationSettings,
    nowMs: number,
  ) => SchemeVerdict | Promise<SchemeVerdict>;
}
