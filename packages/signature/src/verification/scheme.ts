// What each scheme is to the verifier: which signatures of a header are its own, and whether one of them is good.

import type { KeyObject } from "node:crypto";

import type { KeySet } from "../jwks.ts";
import type { Refusal } from "../refusal.ts";
import type { BodyUnboundPolicy, Scheme } from "../schemes.ts";
import type { HmacKey } from "../secret.ts";

/** What a source's signatures are judged by. */
export interface VerificationSettings {
  schemes: readonly Scheme[];
  toleranceSeconds: number;
  /** Of `v1`. */
  hmacKeys: readonly HmacKey[];
  /** Of `v1a`, beside those of the key set. */
  publicKeys: readonly KeyObject[];
  /** Of JWTs. */
  audiences: readonly string[];
  bodyUnbound: BodyUnboundPolicy;
  /** Of `v1a` and JWTs; not there while none was ever had. */
  keySet?: KeySet | undefined;
}

/** A request whose id and timestamp, where it has them, are well-formed and fresh. */
export interface SignedRequest {
  webhookId: string | undefined;
  timestamp: string | undefined;
  body: Buffer;
}

export interface Acceptance {
  /** From the headers, or from the token where the headers have none. */
  webhookId: string;
  /** The request's, or the one that the token carries where the request has none. */
  body: Buffer;
  /** From the token's claims. */
  userMetadata: Record<string, unknown> | undefined;
  bodyUnbound: boolean;
}

export type SchemeVerdict =
  | ({ kind: "accepted" } & Acceptance)
  | ({ kind: "refused" } & Refusal)
  /** Nobody can tell without a key set: the sender should come back. */
  | { kind: "undecidable" };

export interface VerificationScheme {
  name: Scheme;
  /** Whether it signs the id and the timestamp, so that neither can be missing. */
  signsHeaders: boolean;
  /** The signature in a part of the header, when it is of this scheme. */
  read: (part: string) => string | undefined;
  verify: (
    signatures: readonly string[],
    request: SignedRequest,
    settings: VerificationSettings,
    nowMs: number,
  ) => SchemeVerdict | Promise<SchemeVerdict>;
}

export const refused = (reason: Refusal["reason"], detail: string): { kind: "refused" } & Refusal => ({
  kind: "refused",
  reason,
  detail,
});
