// Decides who may use the path of a source. Everybody may use the path of a static source. The path of a dynamic source
// needs a token: any customer of Gemini can name any URL as a dynamic webhook, and Google would sign events for it.

import { type KeyObject, timingSafeEqual } from "node:crypto";

import { type CallbackToken, readCallbackToken } from "@sluice/signature/callback-token";
import { hashIngressToken } from "@sluice/signature/ingress-token";
import { type Refusal, refuse } from "@sluice/signature/refusal";
import type { Source } from "@sluice/store/configuration/sources";

export type Access =
  /** `callback` is the token in the path when that is the token of a callback URL. */
  { kind: "granted"; callback: CallbackToken | undefined } | Refusal;

/** @param token the second segment of the path. */
export function judgeAccess(source: Source, token: string | undefined, callbackKey: KeyObject, nowMs: number): Access {
  if (source.kind === "static") {
    return token === undefined
      ? { kind: "granted", callback: undefined }
      : refuse("unknown_token", "a static source takes no token");
  }
  if (token === undefined) return refuse("missing_token", "a dynamic source needs a token in its path");
  const callback = readCallbackToken(callbackKey, token);
  if (callback !== undefined && callback.sourceId === source.id) {
    return callback.expiresAtMs > nowMs
      ? { kind: "granted", callback }
      : refuse("expired_token", "the callback URL has expired");
  }
  const hash = hashIngressToken(token);
  const match = source.ingressTokens.find((candidate) => timingSafeEqual(candidate.hash, hash));
  if (match === undefined) return refuse("unknown_token", "the token does not belong to this source");
  const isCurrent = match.expiresAtMs === undefined || match.expiresAtMs > nowMs;
  return isCurrent
    ? { kind: "granted", callback: undefined }
    : refuse("expired_token", "the ingress token has expired");
}
