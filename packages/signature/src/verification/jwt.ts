// JWTs as the signatures of dynamic webhooks (RFC 7519, with the practices of RFC 8725), verified by jose. The algorithms
// are fixed, the key comes from the key set and never from the token, and the token must be bound to the body.

import { errors, type JWTPayload, jwtVerify } from "jose";

import { findUserMetadata, isObject } from "@sluice/shared/domain/envelope";

import { refuse } from "../refusal.ts";
import { bindBody } from "./body-binding.ts";
import type { SchemeVerdict, SignedRequest, VerificationScheme, VerificationSettings } from "./scheme.ts";
import { parseStrictJson } from "./strict-json.ts";
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
  if (isAmbiguous(token))
    return refuse("malformed_signature", "the token is not canonical base64url of unambiguous JSON");
  let claims: JWTPayload;
  try {
    const { payload } = await jwtVerify(token, settings.keySet.findJwtKey, {
      algorithms: ALGORITHMS,
      audience: [...settings.audiences],
      clockTolerance: CLOCK_SKEW_SECONDS,
      currentDate: new Date(nowMs),
    });
    claims = payload;
  } catch (error) {
    return describeJoseError(error);
  }
  return judgeTimes(claims, settings.toleranceSeconds, nowMs) ?? accept(claims, request, settings);
}

/**
 * Whether two readers could read the token differently. jose accepts base64url whose last letter has unused bits that
 * are not zero (RFC 4648, 3.5), and JSON with a member twice.
 */
function isAmbiguous(token: string): boolean {
  try {
    return token.split(".").some((part, index) => {
      const bytes = Buffer.from(part, "base64url");
      if (index < 2) parseStrictJson(bytes.toString("utf8"));
      return bytes.toString("base64url") !== part;
    });
  } catch {
    return true;
  }
}

/** jose has checked `exp` and `nbf`. A token with neither `iat` nor `exp` would never get old, so it is refused. */
function judgeTimes({ iat, exp }: JWTPayload, toleranceSeconds: number, nowMs: number): SchemeVerdict | undefined {
  const nowSeconds = Math.floor(nowMs / 1000);
  if (iat === undefined && exp === undefined) return refuse("expired_token", "the token has neither iat nor exp");
  if (iat !== undefined && iat - nowSeconds > toleranceSeconds)
    return refuse("future_timestamp", "the claim iat is in the future");
  if (exp === undefined && iat !== undefined && nowSeconds - iat > toleranceSeconds) {
    return refuse("stale_timestamp", `the token is older than ${toleranceSeconds} s`);
  }
  return undefined;
}

function accept(claims: JWTPayload, request: SignedRequest, settings: JwtSettings): SchemeVerdict {
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
  };
}

function describeJoseError(error: unknown): SchemeVerdict {
  if (error instanceof errors.JWTExpired) return refuse("expired_token", "the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "aud") return refuse("wrong_audience", "the token names none of this source's audiences");
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
