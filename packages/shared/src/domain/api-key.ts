// The form of an API key.

import { randomBytes } from "node:crypto";

export const API_KEY_PREFIX = "sluice_";

/** A key that the environment sets must have so many characters, because it may be any text. */
export const MIN_API_KEY_LENGTH = 32;

/** Makes a new key: 256 random bits behind the prefix. */
export function generateApiKey(): string {
  return API_KEY_PREFIX + randomBytes(32).toString("base64url");
}
