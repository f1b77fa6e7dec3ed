// Compares a MAC that a sender claims with the MAC that the relay computed. The time that this takes does not depend
// on how many characters match: otherwise a sender could find the right MAC character by character.

import { timingSafeEqual } from "node:crypto";

/** Compares texts and not decoded bytes, so that only the canonical base64 of a MAC is accepted. */
export function equalsInConstantTime(received: string, expected: string): boolean {
  const receivedBytes = Buffer.from(received);
  const expectedBytes = Buffer.from(expected);
  // The length of a MAC is no secret. timingSafeEqual throws when the lengths differ.
  return receivedBytes.length === expectedBytes.length && timingSafeEqual(receivedBytes, expectedBytes);
}
