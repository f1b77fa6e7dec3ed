// Lets a request pass only with an API key whose scope allows it. Failure policy: closed. The check comes before
// routing, so that a caller without a key does not learn which paths exist.

import { timingSafeEqual } from "node:crypto";

import type { Context, HonoRequest, MiddlewareHandler } from "hono";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import type { Secret } from "@sluice/shared/settings/secret";
import { findApiKey, hashApiKey } from "@sluice/store/configuration/api-keys";
import type { Database } from "@sluice/store/connection/database";
import type { Scope } from "@sluice/store/schema";

import { type ApiEnv, type Caller, callerOf } from "../http/api-env.ts";
import { confineToTarget } from "./confined-key.ts";
import { FailedTries } from "./failed-tries.ts";
import { KeyUses } from "./key-uses.ts";

export interface AuthenticationDependencies {
  db: Database;
  /** The key from `ADMIN_API_KEY`, which has every scope and also works while PostgreSQL is down. */
  adminApiKey: Secret<string> | undefined;
  /** The key from `METRICS_KEY`, which opens nothing but the metrics. */
  metricsKey?: Secret<string> | undefined;
  log: Logger;
}

const ENVIRONMENT: Caller = {
  keyId: null,
  name: "ADMIN_API_KEY",
  scopes: ["admin"],
  targetId: null,
  expiresAt: null,
};
const SCRAPER: Caller = { keyId: null, name: "METRICS_KEY", scopes: ["read"], targetId: null, expiresAt: null };
const METRICS_PATH = "/metrics";
/** Each scope includes those before it. */
const ORDER: readonly Scope[] = ["read", "write", "admin"];
/** The methods that change nothing (RFC 9110, 9.2.1): the scope `read` is enough for them. */
const SAFE_METHODS = ["GET", "HEAD", "OPTIONS"];

export function authenticate({
  db,
  adminApiKey,
  metricsKey,
  log,
}: AuthenticationDependencies): MiddlewareHandler<ApiEnv> {
  const adminHash = adminApiKey && hashApiKey(adminApiKey.reveal());
  const failedTries = new FailedTries();
  const uses = new KeyUses(db, log);
  const metricsHash = metricsKey && hashApiKey(metricsKey.reveal());
  const findCaller = async (key: string, path: string): Promise<Caller | undefined> => {
    if (adminHash !== undefined && timingSafeEqual(hashApiKey(key), adminHash)) return ENVIRONMENT;
    if (metricsHash !== undefined && timingSafeEqual(hashApiKey(key), metricsHash)) {
      if (path === METRICS_PATH) return SCRAPER;
      throw new SluiceError("forbidden", `METRICS_KEY opens ${METRICS_PATH} only`);
    }
    const holder = await findApiKey(db, key);
    if (holder === undefined) return undefined;
    uses.note(holder.id);
    return { ...holder, keyId: holder.id };
  };
  return async (c, next) => {
    const keys = readKeys(c.req);
    const [key] = keys;
    if (key === undefined) {
      throw unauthenticated(c, "Send an API key as `Authorization: Bearer <key>` or as `x-goog-api-key: <key>`");
    }
    if (keys.length > 1) throw unauthenticated(c, "The request has two different API keys; send one");
    const caller = await findCaller(key, c.req.path);
    if (caller === undefined) {
      // A try is counted only after the look-up has failed, so a valid key is never refused here. Behind a proxy all
      // callers may share one address.
      const waitSeconds = failedTries.add(c.get("remoteAddress"), Date.now());
      if (waitSeconds > 0) {
        const message = "Your network sent too many requests with API keys that are not valid; check the key";
        throw new SluiceError("rate_limited", message, { retryAfterSeconds: waitSeconds });
      }
      throw unauthenticated(c, "The API key is not known, has expired or was revoked");
    }
    c.set("caller", caller);
    if (caller.targetId !== null) await confineToTarget(c, db, caller.targetId);
    else requireScope(c, SAFE_METHODS.includes(c.req.method) ? "read" : "write");
    await next();
  };
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

function unauthenticated(c: Context<ApiEnv>, detail: string): SluiceError {
  c.header("www-authenticate", "Bearer");
  return new SluiceError("unauthenticated", detail);
}

/** The different keys that the request carries: none, one, or two when its headers disagree. */
function readKeys(request: HonoRequest): string[] {
  const bearer = /^Bearer +(\S+)$/i.exec(request.header("authorization") ?? "")?.[1];
  const given = [bearer, request.header("x-goog-api-key")]
    .filter((key) => key !== undefined)
    .filter((key) => key !== "");
  return [...new Set(given)];
}
