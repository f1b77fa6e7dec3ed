// ETags of single resources: strong ones, of what is shown. A change can be made conditional on one (RFC 9110, 13.1).

import { createHash } from "node:crypto";

import { SluiceError } from "@sluice/shared/errors";
import type { Context, MiddlewareHandler } from "hono";

import type { ApiEnv } from "./request-log.ts";

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
  // By strong comparison: a weak tag matches nothing.
  if (condition === undefined || matches(condition, etagOf(shown))) return;
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

function etagOf(shown: object): string {
  return `"${createHash("sha256").update(JSON.stringify(shown)).digest("base64url").slice(0, 27)}"`;
}

function matches(condition: string, etag: string): boolean {
  if (condition.trim() === "*") return true;
  const tags = condition.split(",").map((tag) => tag.trim());
  return tags.includes(etag) || tags.includes(`${etag.slice(0, -1)}${GZIP_SUFFIX}"`);
}
