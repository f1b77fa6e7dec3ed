// An absolute http or https URL in a body. The relay stores the URL as the caller wrote it.

import { z } from "@hono/zod-openapi";

const MAX_LENGTH = 2048;

/** @param error what the answer says about a text that is no such URL. */
export function absoluteUrl(error: string) {
  return (
    z
      .string()
      .max(MAX_LENGTH)
      // new URL() silently repairs spaces, backslashes and missing slashes, so a pattern refuses them first.
      .refine((text) => /^https?:\/\/[^\s\\\p{Cc}]+$/iu.test(text) && URL.canParse(text), { error, abort: true })
      .openapi({ format: "uri", pattern: "^[Hh][Tt][Tt][Pp][Ss]?://[^\\s\\\\]+$" })
  );
}

/** @param text a valid URL. */
export const hasFragment = (text: string) => text.includes("#");

/** @param text a valid URL. */
export function hasCredentials(text: string): boolean {
  const { username, password } = new URL(text);
  return username !== "" || password !== "";
}
