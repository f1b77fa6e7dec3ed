// Who may use a path: a static source's is public, a dynamic source's needs a token, because any customer of
// Gemini can name a URL as a dynamic webhook and Google would sign for it.

import { type KeyObject, timingSafeEqual } from "node:crypto";

import { type CallbackToken, readCallbackToken } from "@sluice/signature/callback-token";
import { hashIngressToken } from "@sluice/signature/ingress-token";
import type { Refusal } from "@sluice/signature/refusal";
import type { Source } from "@sluice/store/configuration/sources";

export type Access =
  /** `callback` is the URL that the request came by, when it was made for one job. */
  { kind: "granted"; callback: CallbackToken | undefined } | ({ kind: "refused" } & Refusal);

const refused = (reason: Refusal["reason"], detail: string): Access => ({ kind: "refused", reason, detail });

/** @param token the second segment of the path. */
export function judgeAccess(source: Source, token: string | undefined, callbackKey: KeyObject, nowMs: number): Access {
  if (source.kind === "static") {
    return token === undefined
      ? { kind: "granted", callback: undefined }
      : refused("unknown_token", "a static source takes no token");
  }
  if (token === undefined) return refused("missing_token", "a dynamic source needs a token in its path");
  const callback = readCallbackToken(callbackKey, token);
  if (callback !== undefined && callback.sourceId === source.id) {
    return callback.expiresAtMs > nowMs
      ? { kind: "granted", callback }
      : refused("expired_token", "the callback URL has expired");
  }
  const hash = hashIngressToken(token);
  const match = source.ingressTokens.find((candidate) => timingSafeEqual(candidate.hash, hash));
  if (match === undefined) return refused("unknown_token", "the token is none of this source's");
  const isCurrent = match.expiresAtMs === undefined || match.expiresAtMs > nowMs;
  return isCurrent
    ? { kind: "granted", callback: undefined }
    : refused("expired_token", "the ingress token has expired");
}
