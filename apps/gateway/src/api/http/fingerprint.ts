// Recognizes a repeated request. JSON has no order of members, and a client that makes its body anew may write them in
// another one.

import { createHash } from "node:crypto";

import { parseExactJson } from "@sluice/shared/domain/exact-json";

import { isEmptyBody } from "./empty-body.ts";

export interface Fingerprints {
  /** SHA-256 of the method, the path and the bytes of the body. */
  fingerprint: Buffer;
  /** SHA-256 of the method, the path and what the body says: the same for JSON with its members in another order. */
  meaning: Buffer;
}

/** @param body empty when the request has none, which means the same as `{}`. */
export function fingerprintsOf({ method, url }: { method: string; url: string }, body: Buffer): Fingerprints {
  const { pathname, search } = new URL(url);
  const start = JSON.stringify([method, pathname, search]);
  const hash = (rest: Buffer | string) => createHash("sha256").update(start).update(rest).digest();
  return { fingerprint: hash(body), meaning: hash(meaningOf(body.toString())) };
}

function meaningOf(text: string): string {
  if (isEmptyBody(text)) return "{}";
  try {
    return JSON.stringify(parseExactJson(text), (_, value: unknown) => sortMembers(value));
  } catch {
    // It is not JSON, or is nested too deeply to walk. The endpoint decides about it; here it stands for itself.
    return text;
  }
}

function sortMembers(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value) || JSON.isRawJSON(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
