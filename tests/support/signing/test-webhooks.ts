// Keys, settings and requests for the tests of verification: a source that accepts every scheme, and one event.

import { generateKeyPairSync, type KeyObject } from "node:crypto";

import type { JWTPayload } from "jose";

import { type KeySet, readKeySet } from "@sluice/signature/jwks";
import type { HmacKey } from "@sluice/signature/secret";
import type { VerificationSettings } from "@sluice/signature/verification/scheme";
import type { Verdict } from "@sluice/signature/verify";

import { signJwt, type SigningKey } from "./sign-jwt.ts";
import type { ReceivedWebhook } from "./verify-webhook.ts";

/** The clock of these tests. */
export const NOW_MS = Date.UTC(2026, 0, 22, 12);
export const NOW = NOW_MS / 1000;
export const AUDIENCE = "https://relay.example/in/gemini-dynamic";

export interface TestKey extends SigningKey {
  publicKey: KeyObject;
  /** The public key as a key set publishes it. */
  jwk: Record<string, unknown>;
}

export function newRsaKey(kid: string, modulusLength = 2048): TestKey {
  return describeKey(kid, "RS256", generateKeyPairSync("rsa", { modulusLength }));
}

export function newEd25519Key(kid: string): TestKey {
  return describeKey(kid, "EdDSA", generateKeyPairSync("ed25519"));
}

function describeKey(kid: string, alg: string, pair: { privateKey: KeyObject; publicKey: KeyObject }): TestKey {
  const jwk = { ...pair.publicKey.export({ format: "jwk" }), kid, alg, use: "sig" };
  return { kid, key: pair.privateKey, publicKey: pair.publicKey, jwk };
}

/** @throws Error when none of the keys is usable. */
export function keySetOf(...keys: Pick<TestKey, "jwk">[]): KeySet {
  const keySet = readKeySet({ keys: keys.map(({ jwk }) => jwk) });
  if (keySet === undefined) throw new Error("None of the keys is usable");
  return keySet;
}

/** An HMAC key that does not expire. */
export const currentKey = (key: KeyObject): HmacKey => ({ key, expiresAtMs: undefined });

/** The settings of a source that accepts every scheme. */
export function settingsOf(changes: Partial<VerificationSettings> = {}): VerificationSettings {
  return {
    schemes: ["v1", "v1a", "jwt"],
    toleranceSeconds: 300,
    hmacKeys: [],
    publicKeys: [],
    audiences: [AUDIENCE],
    issuers: [],
    tokenTypes: [],
    maxTokenSeconds: 3_600,
    bodyUnbound: "reject",
    ...changes,
  };
}

export const EVENT = {
  type: "batch.succeeded",
  version: "v1",
  timestamp: "2026-01-22T12:00:00Z",
  data: { id: "batch_123456", output_file_uri: "gs://my-bucket/results.jsonl" },
};

/** {@link EVENT} as a request without a signature. */
export function webhookOf(changes: Partial<ReceivedWebhook> = {}): ReceivedWebhook {
  return {
    webhookId: "msg_1",
    timestamp: String(NOW),
    signature: undefined,
    body: Buffer.from(JSON.stringify(EVENT)),
    ...changes,
  };
}

/** The registered claims of a token that is good at {@link NOW}. */
export const GOOD_CLAIMS: JWTPayload = { iss: "https://google.example", aud: AUDIENCE, iat: NOW, exp: NOW + 300 };

/** A good token that contains {@link EVENT}. */
export function tokenOf(key: SigningKey, claims: JWTPayload = {}): Promise<string> {
  return signJwt(key, { ...GOOD_CLAIMS, event: EVENT, ...claims });
}

/** A verdict as one word: the scheme that accepted, the reason of a refusal, or "undecidable". */
export function inAWord(verdict: Verdict): string {
  if (verdict.kind === "accepted") return verdict.scheme;
  return verdict.kind === "refused" ? verdict.reason : verdict.kind;
}
