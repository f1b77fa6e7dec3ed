// Who may call the API: a key with the scope that the method needs. Failure policy: closed, and before
// anything else, so that a caller without a key does not learn which paths exist.

import { timingSafeEqual } from "node:crypto";

import type { Secret } from "@sluice/shared/config";
import { SluiceError } from "@sluice/shared/errors";
import { findApiKey, hashApiKey, type Scope } from "@sluice/shared/store/api-keys";
import type { Database } from "@sluice/shared/store/database";
import type { HonoRequest, MiddlewareHandler } from "hono";

export interface AuthenticationDependencies {
  db: Database;
  /** The key of the environment, which has every scope and works while PostgreSQL is down. */
  adminApiKey: Secret<string> | undefined;
}

const ALL_SCOPES: Scope[] = ["read", "write", "admin"];
/** RFC 9110, 9.2.1. */
const SAFE_METHODS = ["GET", "HEAD", "OPTIONS"];

export function authenticate({ db, adminApiKey }: AuthenticationDependencies): MiddlewareHandler {
  const adminHash = adminApiKey && hashApiKey(adminApiKey.reveal());
  const findScopes = async (key: string): Promise<Scope[] | undefined> => {
    if (adminHash !== undefined && timingSafeEqual(hashApiKey(key), adminHash)) return ALL_SCOPES;
    return findApiKey(db, key);
  };
  return async (c, next) => {
    const key = readKey(c.req);
    const scopes = key === undefined ? undefined : await findScopes(key);
    if (scopes === undefined) {
      c.header("www-authenticate", "Bearer");
      const detail =
        key === undefined
          ? "Send an API key as `Authorization: Bearer <key>` or as `x-goog-api-key: <key>`"
          : "The API key is not known, has expired or was revoked";
      throw new SluiceError("unauthenticated", detail);
    }
    const needed: Scope = SAFE_METHODS.includes(c.req.method) ? "read" : "write";
    if (!scopes.includes(needed)) {
      throw new SluiceError("forbidden", `${c.req.method} needs an API key with the scope "${needed}"`);
    }
    await next();
  };
}

function readKey(request: HonoRequest): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(request.header("authorization") ?? "")?.[1];
  return bearer ?? (request.header("x-goog-api-key") || undefined);
}
