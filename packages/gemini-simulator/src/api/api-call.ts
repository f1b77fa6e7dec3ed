// One call of Gemini's API, as the handlers read it.

import { GeminiError } from "./google-error.ts";

export interface ApiCall {
  project: string;
  /** What the route's pattern found in the path, decoded. */
  params: Record<string, string>;
  query: URLSearchParams;
  /** Undefined when the request has no body. */
  body: unknown;
}

/** @throws GeminiError 400 when the body is not a JSON object. */
export function objectBody({ body }: Pick<ApiCall, "body">): Record<string, unknown> {
  if (isPlainObject(body)) return body;
  throw new GeminiError(400, "Invalid JSON payload received: the body must be an object.");
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Undefined for anything but a string. */
export function stringOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Reads the size of a page. A size above the maximum means the maximum. @throws GeminiError 400 */
export function pageSizeOf(text: string | null, defaultSize: number, maxSize: number): number {
  if (text === null) return defaultSize;
  const size = Number(text);
  if (!Number.isInteger(size) || size < 0)
    throw new GeminiError(400, `page_size: ${text} is not a whole number from 0`);
  return size === 0 ? defaultSize : Math.min(size, maxSize);
}

/** A page token is opaque to clients. @returns a number from 0; undefined without a token. @throws GeminiError 400 */
export function readPageToken(token: string | null): number | undefined {
  if (token === null || token === "") return undefined;
  const text = Buffer.from(token, "base64url").toString();
  const [, digits] = /^page:(\d{1,9})$/.exec(text) ?? [];
  if (digits === undefined) throw new GeminiError(400, "page_token: the token is not valid");
  return Number(digits);
}

export function writePageToken(place: number): string {
  return Buffer.from(`page:${place}`).toString("base64url");
}
