// The content that `v1` and `v1a` sign (Standard Webhooks 1.0): `{webhook-id}.{webhook-timestamp}.{raw body}`.

export function signedContent(webhookId: string, timestamp: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${webhookId}.${timestamp}.`), body]);
}
