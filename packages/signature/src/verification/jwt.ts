// JWTs as signatures of dynamic webhooks (RFC 7519, with the practices of RFC 8725), through jose: the algorithm
// is pinned, the key comes from the key set and never from the token, and the body must be bound.

import { errors, type JWTPayload, jwtVerify } from "jose";

import { findUserMetadata, isObject } from "@sluice/shared/domain/envelope";
import { bindBody } from "./body-binding.ts";
import {
  refused,
  type SchemeVerdict,
  type SignedRequest,
  type VerificationScheme,
  type VerificationSettings,
} from "./scheme.ts";
import { parseStrictJson } from "./strict-json.ts";
import { isWebhookId } from "./webhook-id.ts";

/** RSA and Ed25519 keys, each with its one algorithm (RFC 9864 names EdDSA over Ed25519 "Ed25519"). */
const ALGORITHMS = ["RS256", "EdDSA", "Ed25519"];
/** A token says when it ends; the tolerance of a source is for requests that say only when they were made. */
const CLOCK_SKEW_SECONDS = 10;
/** A token above this is not parsed. */
const MAX_TOKEN_LENGTH = 16 * 1024;

export const jwt: VerificationScheme = {
  name: "jwt",
  signsHeaders: false,
  // Bare as documented, and with the prefixes that other senders of JWTs use.
  read: (part) => {
    const text = part.replace(/^(?:v1,|Bearer,)/, "");
    return /^[\w-]+\.[\w-]*\.[\w-]*$/.test(text) ? text : undefined;
  },
  verify: async (tokens, request, settings, nowMs) => {
    const { keySet } = settings;
    if (keySet === undefined) return { kind: "undecidable" };
    let verdict: SchemeVerdict = refused("malformed_signature", "there is no token");
    for (const token of tokens) {
      verdict = await verifyToken(token, request, { ...settings, keySet }, nowMs);
      if (verdict.kind === "accepted") return verdict;
    }
    return verdict;
  },
};

type Settings = VerificationSettings & { keySet: NonNullable<VerificationSettings["keySet"]> };

async function verifyToken(
  token: string,
  request: SignedRequest,
  settings: Settings,
  nowMs: number,
): Promise<SchemeVerdict> {
  if (token.length > MAX_TOKEN_LENGTH)
    return refused("malformed_signature", `the token is above ${MAX_TOKEN_LENGTH} characters`);
  if (isAmbiguous(token))
    return refused("malformed_signature", "the token is not canonical base64url of unambiguous JSON");
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

/** Whether it can be read in two ways. jose takes base64url whose last letter has bits to spare (RFC 4648, 3.5). */
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

/** jose judged `exp` and `nbf`. A token that states neither when it was made nor when it ends never gets old. */
function judgeTimes({ iat, exp }: JWTPayload, toleranceSeconds: number, nowMs: number): SchemeVerdict | undefined {
  const nowSeconds = Math.floor(nowMs / 1000);
  if (iat === undefined && exp === undefined) return refused("expired_token", "the token has neither iat nor exp");
  if (iat !== undefined && iat - nowSeconds > toleranceSeconds)
    return refused("future_timestamp", "the token was made in the future");
  if (exp === undefined && iat !== undefined && nowSeconds - iat > toleranceSeconds) {
    return refused("stale_timestamp", `the token is older than ${toleranceSeconds} s`);
  }
  return undefined;
}

function accept(claims: JWTPayload, request: SignedRequest, settings: Settings): SchemeVerdict {
  // jose does not look at the type of jti.
  const webhookId: unknown = request.webhookId ?? claims.jti;
  if (webhookId === undefined) return refused("missing_header", "there is neither a header webhook-id nor a claim jti");
  if (typeof webhookId !== "string" || !isWebhookId(webhookId))
    return refused("malformed_header", "the claim jti is not a webhook id");
  const binding = bindBody(claims, request.body);
  if (binding.kind === "mismatch") return refused("body_mismatch", "the token is for another body");
  if (binding.kind === "unbound" && settings.bodyUnbound === "reject") {
    return refused("body_unbound", "the token holds neither the event nor a hash of the body");
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
  if (error instanceof errors.JWTExpired) return refused("expired_token", "the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "aud") return refused("wrong_audience", "the token is for none of this source's audiences");
    if (error.claim === "nbf" && error.reason === "check_failed")
      return refused("future_timestamp", "the token is not valid yet");
    return refused("malformed_signature", `the token's claim ${error.claim} is not valid`);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return refused("unaccepted_algorithm", `the token's algorithm is not one of ${ALGORITHMS.join(", ")}`);
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return refused("unknown_key", "the token names no key of the key set");
  }
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return refused("signature_mismatch", "the token's signature does not match");
  if (error instanceof errors.JOSEError) return refused("malformed_signature", "the token is not a signed JWT");
  throw error;
}
