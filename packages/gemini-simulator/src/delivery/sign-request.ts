// Makes the signed headers of one attempt. The signers are libraries and Node, and none of the relay's own code, so that
// a webhook which the relay accepts proves something.

import { Webhook } from "standardwebhooks";

import type { RegisteredSecret } from "../state/registered-webhooks.ts";
import type { DynamicKeys, DynamicScheme } from "./dynamic-keys.ts";
import type { Payload } from "./payload.ts";

export interface UnsignedRequest {
  webhookId: string;
  /** Seconds since 1970. */
  timestamp: number;
  body: string;
}

type AttemptHeaders = Record<string, string>;

const TOKEN_SECONDS = 300;
const ISSUER = "https://generativelanguage.googleapis.com";

/** During a rotation, the header has one signature for each secret. */
export function signStatic(request: UnsignedRequest, secrets: readonly RegisteredSecret[]): AttemptHeaders {
  const { webhookId, timestamp, body } = request;
  const signatures = secrets.map(({ text }) => new Webhook(text).sign(webhookId, new Date(timestamp * 1000), body));
  return attemptHeaders(request, signatures.join(" "));
}

/** @param uri the address of the request. The guide does not say what `aud` is; receivers guess this. */
export async function signDynamic(
  request: UnsignedRequest,
  { keys, scheme, uri, payload }: { keys: DynamicKeys; scheme: DynamicScheme; uri: string; payload: Payload },
): Promise<AttemptHeaders> {
  const { webhookId, timestamp, body } = request;
  if (scheme === "v1a") return attemptHeaders(request, keys.signV1a(webhookId, timestamp, body));
  const claims = { iss: ISSUER, aud: uri, iat: timestamp, exp: timestamp + TOKEN_SECONDS, jti: webhookId };
  return attemptHeaders(request, await keys.signToken({ ...claims, event: payload }));
}

function attemptHeaders({ webhookId, timestamp }: UnsignedRequest, signature: string): AttemptHeaders {
  return {
    "content-type": "application/json",
    "user-agent": "gemini-simulator",
    "webhook-id": webhookId,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signature,
  };
}
