// ETags of single resources: strong ones, of what is shown. A change can be made conditional on one (RFC 9110, 13.1).
// A tag has two parts: what a caller set, and all that is shown. A change is compared by the first alone, or on a busy
// target, whose health is another one each minute, no condition would ever hold.

import { createHash } from "node:crypto";

import type { Context, MiddlewareHandler } from "hono";

import { SluiceError } from "@sluice/shared/runtime/errors";

import type { ApiEnv } from "./api-env.ts";

/** 128 bits. */
const HASH_LENGTH = 22;

/** What follows the tag when the answer is compressed: other bytes, so another tag (RFC 9110, 8.8.3.3). */
export const GZIP_SUFFIX = "-gzip";

/** @returns what is shown, for the answer, which gets its tag. */
export function withEtag<T extends object>(c: Context<ApiEnv>, shown: T): T {
  c.header("etag", etagOf(shown));
  return shown;
}

/**
 * Compares `If-Match` with what is there. MUST run in the transaction that holds the lock on it, or of two changes that
 * were made of the same state, both could be let through.
 * @throws SluiceError `precondition_failed`
 */
export function requireMatch(c: Context<ApiEnv>, shown: object): void {
  const condition = c.req.header("if-match");
  if (condition === undefined || condition.trim() === "*") return;
  const start = etagOf(shown).slice(0, HASH_LENGTH + 2);
  // By strong comparison: a weak tag matches nothing.
  if (tagsOf(condition).some((tag) => tag.startsWith(start))) return;
  throw new SluiceError("precondition_failed", "The resource is not the one that If-Match names: read it again", {
    faults: [{ pointer: "If-Match", detail: `is not ${etagOf(shown)}` }],
  });
}

/** Answers 304 where the caller has what is shown already. */
export const answerNotModified: MiddlewareHandler<ApiEnv> = async (c, next) => {
  await next();
  const condition = c.req.header("if-none-match");
  const etag = c.res.headers.get("etag");
  const isRead = c.req.method === "GET" || c.req.method === "HEAD";
  if (!isRead || c.res.status !== 200 || condition === undefined || etag === null) return;
  if (!matches(condition.replaceAll("W/", ""), etag)) return;
  const { headers } = c.res;
  headers.delete("content-type");
  c.res = undefined;
  c.res = new Response(null, { status: 304, headers });
};

/** What the relay observes of a resource, and nobody sets. */
const OBSERVED = ["health", "last_used_at"];

function etagOf(shown: object): string {
  const set = Object.entries(shown).filter(([name]) => !OBSERVED.includes(name));
  return `"${hash(set)}.${hash(shown)}"`;
}

const hash = (value: unknown) =>
  createHash("sha256").update(JSON.stringify(value)).digest("base64url").slice(0, HASH_LENGTH);

function matches(condition: string, etag: string): boolean {
  if (condition.trim() === "*") return true;
  const tags = tagsOf(condition);
  return tags.includes(etag) || tags.includes(`${etag.slice(0, -1)}${GZIP_SUFFIX}"`);
}

const tagsOf = (condition: string) => condition.split(",").map((tag) => tag.trim());
