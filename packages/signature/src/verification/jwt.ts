// JWTs as the signatures of dynamic webhooks (RFC 7519, with the practices of RFC 8725), verified by jose. The algorithms
// are fixed, the key comes from the key set and never from the token, and the token must be bound to the body.

import { createHash } from "node:crypto";

import { errors, type JWTPayload, jwtVerify } from "jose";

import { findUserMetadata, isObject } from "@sluice/shared/domain/envelope";

import { refuse } from "../refusal.ts";
import { bindBody } from "./body-binding.ts";
import type { SchemeVerdict, SignedRequest, SpentToken, VerificationScheme, VerificationSettings } from "./scheme.ts";
import { AmbiguousJson, parseStrictJson } from "./strict-json.ts";
import { isWebhookId } from "./webhook-id.ts";

/** RS256 for RSA keys. Ed25519 keys have two names for one algorithm: RFC 9864 renamed "EdDSA" to "Ed25519". */
const ALGORITHMS = ["RS256", "EdDSA", "Ed25519"];
/**
 * The clock difference that is allowed for `exp` and `nbf`. The longer tolerance of a source is for requests that say
 * only when they were made.
 */
const CLOCK_SKEW_SECONDS = 10;
/** The verifier does not parse a longer token. */
const MAX_TOKEN_LENGTH = 16 * 1024;

export const jwt: VerificationScheme = {
  name: "jwt",
  signsHeaders: false,
  // Gemini documents a bare token. Other senders of JWTs use the two prefixes.
  read: (part) => {
    const text = part.replace(/^(?:v1,|Bearer,)/, "");
    return /^[\w-]+\.[\w-]*\.[\w-]*$/.test(text) ? text : undefined;
  },
  verify: async (tokens, request, settings, nowMs) => {
    const { keySet } = settings;
    if (keySet === undefined) return { kind: "undecidable" };
    let verdict: SchemeVerdict = refuse("malformed_signature", "there is no token");
    for (const token of tokens) {
      verdict = await verifyToken(token, request, { ...settings, keySet }, nowMs);
      if (verdict.kind === "accepted") return verdict;
    }
    return verdict;
  },
};

type JwtSettings = VerificationSettings & { keySet: NonNullable<VerificationSettings["keySet"]> };

async function verifyToken(
  token: string,
  request: SignedRequest,
  settings: JwtSettings,
  nowMs: number,
): Promise<SchemeVerdict> {
  if (token.length > MAX_TOKEN_LENGTH)
    return refuse("malformed_signature", `the token is above ${MAX_TOKEN_LENGTH} characters`);
  const ambiguity = findAmbiguity(token);
  if (ambiguity !== undefined)
    return refuse("malformed_signature", `two readers could read the token differently: ${ambiguity}`);
  let claims: JWTPayload;
  try {
    const { payload, protectedHeader } = await jwtVerify(token, settings.keySet.findJwtKey, {
      algorithms: ALGORITHMS,
      audience: [...settings.audiences],
      ...(settings.issuers.length > 0 ? { issuer: [...settings.issuers] } : {}),
      clockTolerance: CLOCK_SKEW_SECONDS,
      currentDate: new Date(nowMs),
    });
    if (!isAcceptedType(protectedHeader.typ, settings.tokenTypes))
      return refuse("wrong_token_type", "the token's typ is none that this source names");
    claims = payload;
  } catch (error) {
    return describeJoseError(error);
  }
  return judgeTimes(claims, settings, nowMs) ?? accept(claims, token, request, settings);
}

const plain = (text: string) => text.toLowerCase().replace(/^application\/(?=[^/]+$)/, "");

/** RFC 7515, 4.1.9: the prefix `application/` may be left out, and case does not matter. */
function isAcceptedType(typ: string | undefined, accepted: readonly string[]): boolean {
  if (accepted.length === 0) return true;
  return typ !== undefined && accepted.some((type) => plain(type) === plain(typ));
}

const TOKEN_PARTS = ["header", "claims", "signature"];

/**
 * Says why two readers could read the token differently. jose accepts base64url whose last letter has unused bits that
 * are not zero (RFC 4648, 3.5), and JSON with a member twice.
 */
function findAmbiguity(token: string): string | undefined {
  for (const [index, part] of token.split(".").entries()) {
    const name = TOKEN_PARTS[index];
    const bytes = Buffer.from(part, "base64url");
    if (bytes.toString("base64url") !== part) return `its ${name} is not canonical base64url`;
    if (index === 2) continue;
    try {
      parseStrictJson(bytes.toString("utf8"));
    } catch (error) {
      if (error instanceof AmbiguousJson) return `in its ${name}, ${error.message}`;
      return `its ${name} is not JSON`;
    }
  }
  return undefined;
}

/** jose has checked `exp` and `nbf`. A token with neither `iat` nor `exp` would never get old, so it is refused. */
function judgeTimes(
  { iat, exp }: JWTPayload,
  { toleranceSeconds, maxTokenSeconds }: JwtSettings,
  nowMs: number,
): SchemeVerdict | undefined {
  const nowSeconds = Math.floor(nowMs / 1000);
  if (iat === undefined && exp === undefined) return refuse("expired_token", "the token has neither iat nor exp");
  if (iat !== undefined && iat - nowSeconds > toleranceSeconds)
    return refuse("future_timestamp", "the claim iat is in the future");
  if (exp === undefined && iat !== undefined && nowSeconds - iat > toleranceSeconds) {
    return refuse("stale_timestamp", `the token is older than ${toleranceSeconds} s`);
  }
  // Without iat, the token may have been made at any time until now.
  if (exp !== undefined && exp - (iat ?? nowSeconds) > maxTokenSeconds) {
    return refuse("excessive_lifetime", `the token is valid for longer than ${maxTokenSeconds} s`);
  }
  return undefined;
}

function accept(claims: JWTPayload, token: string, request: SignedRequest, settings: JwtSettings): SchemeVerdict {
  // jose does not check the type of jti.
  const webhookId: unknown = request.webhookId ?? claims.jti;
  if (webhookId === undefined) return refuse("missing_header", "there is neither a header webhook-id nor a claim jti");
  if (typeof webhookId !== "string" || !isWebhookId(webhookId))
    return refuse("malformed_header", "the claim jti is not a webhook id");
  const binding = bindBody(claims, request.body);
  if (binding.kind === "mismatch") return refuse("body_mismatch", "the token belongs to another body");
  if (binding.kind === "unbound" && settings.bodyUnbound === "reject") {
    return refuse("body_unbound", "the token holds neither the event nor a hash of the body");
  }
  return {
    kind: "accepted",
    webhookId,
    body: binding.kind === "carried" ? binding.body : request.body,
    userMetadata: findUserMetadata(...[claims, claims["event"], claims["data"]].filter(isObject)) ?? undefined,
    bodyUnbound: binding.kind === "unbound",
    token: describeToken(claims, token, settings.toleranceSeconds),
  };
}

function describeToken({ jti, iat, exp }: JWTPayload, token: string, toleranceSeconds: number): SpentToken {
  // The signature is left out: a signature scheme may allow several signatures of the same content.
  // jose does not check the type of jti.
  const identity = typeof jti === "string" ? `jti ${jti}` : `token ${token.slice(0, token.lastIndexOf("."))}`;
  // judgeTimes has made sure that one of the two is there.
  const expiresAt = exp === undefined ? Number(iat) + toleranceSeconds : exp + CLOCK_SKEW_SECONDS;
  return { id: createHash("sha256").update(identity).digest("base64url"), expiresAtMs: expiresAt * 1000 };
}

function describeJoseError(error: unknown): SchemeVerdict {
  if (error instanceof errors.JWTExpired) return refuse("expired_token", "the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "aud") return refuse("wrong_audience", "the token names none of this source's audiences");
    if (error.claim === "iss") return refuse("wrong_issuer", "the token names none of this source's issuers");
    if (error.claim === "nbf" && error.reason === "check_failed")
      return refuse("future_timestamp", "the token is not valid yet");
    return refuse("malformed_signature", `the token's claim ${error.claim} is not valid`);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return refuse("unaccepted_algorithm", `the token's algorithm is not one of ${ALGORITHMS.join(", ")}`);
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return refuse("unknown_key", "the token does not name a key of the key set");
  }
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return refuse("signature_mismatch", "the token's signature does not match");
  if (error instanceof errors.JOSEError) return refuse("malformed_signature", "the token is not a signed JWT");
  throw error;
}
