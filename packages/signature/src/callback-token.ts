// Callback tokens: what makes a callback URL of one job. A token carries all that the ingress needs to know,
// signed by the relay, so that nothing is stored for it. The MAC is over the text as it is sent: only the very
// text that was minted is one.

import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto";

import { SluiceError } from "@sluice/shared/runtime/errors";

export interface CallbackToken {
  /** UUID; by which a single use is remembered. */
  id: string;
  /** UUID of the one source that it is for. */
  sourceId: string;
  /** For the event that comes by it. */
  labels: Record<string, string>;
  expiresAtMs: number;
  singleUse: boolean;
}

/** For {@link MasterKey.deriveKey}. */
export const CALLBACK_KEY_PURPOSE = "sluice callback tokens";

const PREFIX = "cb_";
/** `/in/`, a name of 64, "/" and this stay below 8,000: common proxies take a request line of 8 KiB. */
export const MAX_CALLBACK_TOKEN_LENGTH = 7_900;

/** A part of a path that needs no escaping. @throws SluiceError `invalid_request` when its labels make it too long. */
export function mintCallbackToken(key: KeyObject, token: CallbackToken): string {
  const { id, sourceId, labels, expiresAtMs, singleUse } = token;
  // A list, because names would be a third of a short token.
  const fields = JSON.stringify([id, sourceId, expiresAtMs, singleUse ? 1 : 0, labels]);
  const payload = PREFIX + Buffer.from(fields).toString("base64url");
  const text = `${payload}.${mac(key, payload)}`;
  if (text.length <= MAX_CALLBACK_TOKEN_LENGTH) return text;
  const excess = Math.ceil(((text.length - MAX_CALLBACK_TOKEN_LENGTH) * 3) / 4);
  const detail = `must be shorter by ${excess} bytes: they stand in the URL, which would be longer than proxies take`;
  throw new SluiceError("invalid_request", `The labels ${detail}`, { faults: [{ pointer: "/labels", detail }] });
}

/** @returns undefined unless the text is a token that was minted with the key. Whether it has expired is the caller's to check. */
export function readCallbackToken(key: KeyObject, text: string): CallbackToken | undefined {
  if (!text.startsWith(PREFIX) || text.length > MAX_CALLBACK_TOKEN_LENGTH) return undefined;
  const dot = text.indexOf(".");
  if (dot === -1) return undefined;
  const payload = text.slice(0, dot);
  // Compared as text, so that only the canonical base64url of a MAC is it.
  const received = Buffer.from(text.slice(dot + 1));
  const expected = Buffer.from(mac(key, payload));
  if (received.length !== expected.length || !timingSafeEqual(received, expected)) return undefined;
  // Authentic, so it is as it was minted.
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

function mac(key: KeyObject, payload: string): string {
  return createHmac("sha256", key).update(payload).digest("base64url");
}
