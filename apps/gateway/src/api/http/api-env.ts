// What the middleware learns about a request and passes on to the handlers: its id, its remote address and its caller.

import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";

import { hashedId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { AuditedChange } from "@sluice/store/requests/audit";
import type { Scope, SignInMethod } from "@sluice/store/schema";

/** The API key, or the session of the console, with which a request was authenticated. */
export interface Caller {
  /** The UUID of the key; null for ADMIN_API_KEY, the key from the environment, and for a person whom a proxy named. */
  keyId: string | null;
  name: string;
  /** None for a key that is for one target. */
  scopes: Scope[];
  /** The UUID of the one target that the key is for; null for a key with scopes. */
  targetId: string | null;
  /** Null when the key never expires. */
  expiresAt: Date | null;
  /** The person whom a proxy named. */
  identity?: string;
  /** The session of the console whose cookie the request has. `id` is a UUID. */
  session?: { id: string; method: SignInMethod; expiresAt: Date };
  /** Asks again, for a request that takes long. Undefined for a key that stays valid as long as the process runs. */
  isStillValid?: () => Promise<boolean>;
}

/** The changes that a request makes for a file of settings. */
export interface SettingsApplication {
  /** Whose settings they are. It may change what it manages, and what nobody manages. */
  manager: string;
  /** When true, every change is undone, so that it is only known what it would be. */
  isPreview: boolean;
  /** What was changed so far. */
  changes: AuditedChange[];
}

export interface ApiEnv {
  /** What the HTTP server says about the connection; empty when a test calls the app without a server. */
  Bindings: Partial<HttpBindings>;
  Variables: {
    requestId: string;
    remoteAddress: string | undefined;
    /** Undefined until authenticate() has run. Every endpoint runs after it. */
    caller: Caller | undefined;
    /** The claim that a POST with an Idempotency-Key holds on its key; see idempotency.ts. */
    claim: string | undefined;
    /** Set while settings are applied; see apply.ts. */
    application: SettingsApplication | undefined;
  };
}

/** The caller of an authenticated request. Every request that reaches an endpoint is authenticated. */
export function callerOf(c: Context<ApiEnv>): Caller {
  const caller = c.get("caller");
  if (caller === undefined) throw new SluiceError("unauthenticated", "An API key is needed");
  return caller;
}

/** Whether a method changes nothing (RFC 9110, 9.2.1). */
export const isSafeMethod = (method: string): boolean => ["GET", "HEAD", "OPTIONS"].includes(method);

/**
 * Whose requests belong together, as a UUID: those of one key, or of one person. Null for ADMIN_API_KEY. Otherwise a person
 * could ask with the Idempotency-Key of another, and read the answer.
 */
export function holderIdOf({ keyId, identity }: Caller): string | null {
  return identity === undefined ? keyId : hashedId(0, `identity:${identity}`);
}
