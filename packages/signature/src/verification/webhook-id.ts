// The rules for a webhook id in a header or in a claim.

/** The ids of Standard Webhooks have about 30 characters. */
export const MAX_ID_LENGTH = 256;

/**
 * Printable characters without a dot. With a dot, one signature would fit several splits of the same bytes into id,
 * timestamp and body.
 */
export function isWebhookId(text: string): boolean {
  return text.length <= MAX_ID_LENGTH && /^[\x21-\x2d\x2f-\x7e]+$/.test(text);
}
