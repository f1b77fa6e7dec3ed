// What a webhook id may be, in a header or in a claim.

/** Standard Webhooks' ids are some 30 characters. */
export const MAX_ID_LENGTH = 256;

/** Printable, and without a dot, which would let bytes move between id, timestamp and body under one signature. */
export function isWebhookId(text: string): boolean {
  return text.length <= MAX_ID_LENGTH && /^[\x21-\x2d\x2f-\x7e]+$/.test(text);
}
