// What a request to the API carries with it: its id, where it came from, and who calls.

import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Scope } from "@sluice/store/schema";

/** Who a request is from, as its key says. */
export interface Caller {
  /** Null for the key of the environment. */
  keyId: string | null;
  name: string;
  scopes: Scope[];
  /** Of the key; null for never. */
  expiresAt: Date | null;
}

export interface ApiEnv {
  /** Of the server; a test without one has none. */
  Bindings: Partial<HttpBindings>;
  Variables: {
    requestId: string;
    remoteAddress: string | undefined;
    /** Set when it is known, which is before any route. */
    caller: Caller | undefined;
    /** Of a POST with an Idempotency-Key: see idempotency.ts. */
    claim: string | undefined;
  };
}

/** The caller of an authenticated request. Every request that reaches a route is authenticated. */
export function callerOf(c: Context<ApiEnv>): Caller {
  const caller = c.get("caller");
  if (caller === undefined) throw new SluiceError("unauthenticated", "An API key is needed");
  return caller;
}
