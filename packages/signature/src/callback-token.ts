// Callback tokens: the secret part of a callback URL for one job. A token carries everything that the ingress needs,
// signed by the relay, so the relay stores nothing for it. The MAC covers the text of the token, so a changed text is
// never valid.

import { createHmac, type KeyObject } from "node:crypto";

import { SluiceError } from "@sluice/shared/runtime/errors";

import { equalsInConstantTime } from "./constant-time.ts";

export interface CallbackToken {
  /** A UUID. PostgreSQL remembers it when a single-use token was used. */
  id: string;
  /** UUID of the only source that accepts the token. */
  sourceId: string;
  /** Labels for the events that arrive at the callback URL. */
  labels: Record<string, string>;
  expiresAtMs: number;
  singleUse: boolean;
}

/** The purpose to pass to {@link MasterKey.deriveKey}. */
export const CALLBACK_KEY_PURPOSE = "sluice callback tokens";

const PREFIX = "cb_";
/** Common proxies accept a request line of 8 KiB. `/in/`, a source name of 64 characters, "/" and a token fit into that. */
export const MAX_CALLBACK_TOKEN_LENGTH = 7_900;

/**
 * @returns a token that can stand in a path without escaping.
 * @throws SluiceError `invalid_request` when the labels make the token too long.
 */
export function mintCallbackToken(key: KeyObject, token: CallbackToken): string {
  const { id, sourceId, labels, expiresAtMs, singleUse } = token;
  // A list without field names, because the names would be a third of a short token.
  const fields = JSON.stringify([id, sourceId, expiresAtMs, singleUse ? 1 : 0, labels]);
  const payload = PREFIX + Buffer.from(fields).toString("base64url");
  const text = `${payload}.${macCallback(key, payload)}`;
  if (text.length <= MAX_CALLBACK_TOKEN_LENGTH) return text;
  const excess = Math.ceil(((text.length - MAX_CALLBACK_TOKEN_LENGTH) * 3) / 4);
  const detail = `must be shorter by ${excess} bytes: they are part of the URL, and proxies refuse a longer URL`;
  throw new SluiceError("invalid_request", `The labels ${detail}`, { faults: [{ pointer: "/labels", detail }] });
}

/**
 * @returns undefined unless the token was minted with this key. The caller MUST check that the token has not expired.
 */
export function readCallbackToken(key: KeyObject, text: string): CallbackToken | undefined {
  if (!text.startsWith(PREFIX) || text.length > MAX_CALLBACK_TOKEN_LENGTH) return undefined;
  const dot = text.indexOf(".");
  if (dot === -1) return undefined;
  const payload = text.slice(0, dot);
  if (!equalsInConstantTime(text.slice(dot + 1), macCallback(key, payload))) return undefined;
  // The MAC is right, so the payload is one that mintCallbackToken wrote.
  const fields = Buffer.from(payload.slice(PREFIX.length), "base64url").toString();
  const [id, sourceId, expiresAtMs, singleUse, labels] = JSON.parse(fields) as [
    string,
    string,
    number,
    0 | 1,
    Record<string, string>,
  ];
  return { id, sourceId, labels, expiresAtMs, singleUse: singleUse === 1 };
}

function macCallback(key: KeyObject, payload: string): string {
  return createHmac("sha256", key).update(payload).digest("base64url");
}
