// Lets a request pass only with an API key, or the session of the console, whose scope allows it. Failure policy: closed. The
// check comes before routing, so that a caller without a key does not learn which paths exist.

import type { Context, HonoRequest, MiddlewareHandler } from "hono";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Database } from "@sluice/store/connection/database";
import type { Scope } from "@sluice/store/schema";

import { type ApiEnv, type Caller, callerOf, isSafeMethod } from "../http/api-env.ts";
import { type Callers, unauthenticated } from "./callers.ts";
import { confineToTarget } from "./confined-key.ts";
import type { Sessions } from "./sessions.ts";

/** Each scope includes those before it. */
const ORDER: readonly Scope[] = ["read", "write", "admin"];

export function authenticate(db: Database, callers: Callers, sessions: Sessions): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const key = keyOfRequest(c);
    // A cookie beside a key does not count, so that a client with a key is not touched by the rules for browsers.
    const caller = key === undefined ? await requireSession(c, sessions) : await callers.require(c, key);
    c.set("caller", caller);
    if (caller.targetId !== null) await confineToTarget(c, db, caller.targetId);
    else requireScope(c, isSafeMethod(c.req.method) ? "read" : "write");
    await next();
  };
}

async function requireSession(c: Context<ApiEnv>, sessions: Sessions): Promise<Caller> {
  const caller = await sessions.read(c);
  if (caller !== undefined) return caller;
  throw unauthenticated(c, "Send an API key as `Authorization: Bearer <key>` or as `x-goog-api-key: <key>`");
}

/** The `middleware` of an endpoint that needs the scope `admin`, whatever its method is. */
export const needsAdmin: MiddlewareHandler<ApiEnv> = async (c, next) => {
  requireScope(c, "admin");
  await next();
};

/** @throws SluiceError `forbidden`, which names the scope. */
function requireScope(c: Context<ApiEnv>, needed: Scope): void {
  const isEnough = callerOf(c).scopes.some((scope) => ORDER.indexOf(scope) >= ORDER.indexOf(needed));
  if (!isEnough) throw new SluiceError("forbidden", `This needs an API key with the scope "${needed}"`);
}

/**
 * The API key that a request carries; undefined for none.
 * @throws SluiceError `unauthenticated` when its headers disagree.
 */
export function keyOfRequest(c: Context<ApiEnv>): string | undefined {
  const [key, ...others] = readKeys(c.req);
  if (others.length > 0) throw unauthenticated(c, "The request has two different API keys; send one");
  return key;
}

/** The different keys that the request carries: none, one, or two when its headers disagree. */
function readKeys(request: HonoRequest): string[] {
  const bearer = /^Bearer +(\S+)$/i.exec(request.header("authorization") ?? "")?.[1];
  const given = [bearer, request.header("x-goog-api-key")]
    .filter((key) => key !== undefined)
    .filter((key) => key !== "");
  return [...new Set(given)];
}
