// /console/session and /console/codes: signing in to the console and out. An API key, a one-time code, or a person whom a proxy
// named is exchanged for a session, of which the browser holds the token in a cookie that no script can read.

import { randomBytes } from "node:crypto";

import { z } from "@hono/zod-openapi";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { deleteCookie, setCookie } from "hono/cookie";

import { formatId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { getApiKey } from "@sluice/store/configuration/api-keys";
import type { Connection, Database } from "@sluice/store/connection/database";
import {
  deleteOldestSessions,
  deleteSession,
  deleteSessionOfToken,
  insertCode,
  insertSession,
  type KeyOfSession,
  type SessionHolder,
  takeCode,
} from "@sluice/store/requests/console-sessions";
import type { SignInMethod } from "@sluice/store/schema";

import { type Callers, ENVIRONMENT, unauthenticated } from "../access/callers.ts";
import { keyOfRequest } from "../access/authentication.ts";
import { showScopes } from "../access/key-scopes.ts";
import type { OwnSite } from "../access/own-site.ts";
import { callerOfIdentity, type ConsoleIdentities, type Sessions } from "../access/sessions.ts";
import { type ApiEnv, type Caller, callerOf } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { announcesBody } from "../http/empty-body.ts";
import { invalidRequest, requireBody } from "../http/invalid-request.ts";
import { isJsonType } from "../http/json-type.ts";

export interface SignInDependencies {
  db: Database;
  consoleIdentities?: ConsoleIdentities | undefined;
}

const SESSION_SECONDS = 12 * 3_600;
const CODE_SECONDS = 600;
const MAX_CODE_SECONDS = 3_600;
/** Of one key or person. A key that may only read could fill the database otherwise. */
const MAX_SESSIONS = 100;
const TOKEN_BYTES = 32;
const MAX_BODY_BYTES = 16 * 1024;

const credential = z.string().min(1).max(4_096);
const signInSchema = z
  .strictObject({ key: credential.optional(), code: credential.optional() })
  .refine(({ key, code }) => key === undefined || code === undefined, "must have a key or a code, and not both");
const codeSchema = z.strictObject({ valid_seconds: z.int().min(1).max(MAX_CODE_SECONDS).default(CODE_SECONDS) });

interface AcceptedSignIn {
  caller: Caller;
  holder: SessionHolder;
  method: SignInMethod;
}

export function createSignIn(
  { db, consoleIdentities }: SignInDependencies,
  callers: Callers,
  sessions: Sessions,
  site: OwnSite,
): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new SluiceError("payload_too_large", `The body must be at most ${MAX_BODY_BYTES} bytes`);
      },
    }),
  );

  app.post("/session", async (c) => {
    site.requireHost(c);
    site.requireOrigin(c);
    const { key, code } = await readJsonBody(c, signInSchema);
    const signedIn = key === undefined ? undefined : await byKey(c, key);
    const token = randomBytes(TOKEN_BYTES).toString("base64url");
    const start = async ({ caller, holder, method }: AcceptedSignIn) => {
      c.set("caller", caller);
      return makeChange(c, db, async (tx, record) => {
        // Otherwise nobody could end it any more: a live tail that another person opened in this browser would go on.
        const replaced = sessions.tokenOf(c);
        const ended = replaced === undefined ? undefined : await deleteSessionOfToken(tx, replaced);
        if (ended !== undefined) await record(endedSession(ended));
        const limits = { method, lifetimeSeconds: SESSION_SECONDS, endsBy: caller.expiresAt };
        const { id, expiresAt } = await insertSession(tx, token, holder, limits);
        for (const oldest of await deleteOldestSessions(tx, holder, MAX_SESSIONS)) await record(endedSession(oldest));
        const session = { id, method, expiresAt };
        await record({ action: "session.started", resourceId: formatId("ses", id), after: audited(session) });
        return showSession({ ...caller, session });
      });
    };
    const shown = await start(signedIn ?? (code === undefined ? byIdentity(c) : await byCode(c, code)));
    setCookie(c, sessions.cookieName(c), token, { ...cookieOf(c), maxAge: SESSION_SECONDS });
    return c.json(shown, 201);
  });

  app.get("/session", async (c) => c.json(showSession(await requireSession(c)), 200));

  app.delete("/session", async (c) => {
    // Not only in read(), which looks at neither without a cookie.
    site.requireHost(c);
    site.requireOrigin(c);
    const caller = await sessions.read(c);
    const session = caller?.session;
    if (session !== undefined) {
      c.set("caller", caller);
      await makeChange(c, db, async (tx, record) => {
        if (await deleteSession(tx, session.id)) await record(endedSession(session));
      });
    }
    deleteCookie(c, sessions.cookieName(c), cookieOf(c));
    return c.body(null, 204);
  });

  app.post("/codes", async (c) => {
    const key = keyOfRequest(c);
    if (key === undefined) throw unauthenticated(c, "Send the API key for which the code is to sign in");
    c.set("caller", await callers.require(c, key));
    const { valid_seconds: validSeconds } = await readJsonBody(c, codeSchema);
    const code = randomBytes(TOKEN_BYTES).toString("base64url");
    const expiresAt = await insertCode(db, code, sessions.holderOf(callerOf(c)), validSeconds);
    return c.json({ code, expires_at: expiresAt.toISOString() }, 201);
  });

  return app;

  async function requireSession(c: Context<ApiEnv>): Promise<Caller> {
    site.requireHost(c);
    const caller = await sessions.read(c);
    if (caller !== undefined) return caller;
    throw new SluiceError("unauthenticated", "Nobody is signed in with this browser, or the session has ended");
  }

  function cookieOf(c: Context<ApiEnv>) {
    return { path: "/", httpOnly: true, sameSite: "Strict", secure: site.isSecure(c) } as const;
  }

  async function byKey(c: Context<ApiEnv>, key: string): Promise<AcceptedSignIn> {
    const caller = await callers.require(c, key.trim());
    return { caller, holder: sessions.holderOf(caller), method: "key" };
  }

  /** Uses the code up also where its key is not valid any more. */
  async function byCode(c: Context<ApiEnv>, code: string): Promise<AcceptedSignIn> {
    const holder = await takeCode(db, code);
    const caller = holder && (await callerOfHolder(db, holder));
    if (holder === undefined || caller === undefined) {
      throw callers.refuse(
        c,
        "The code is not known, was used, or has expired; sign in with an API key, or make another code",
      );
    }
    return { caller, holder, method: "code" };
  }

  async function callerOfHolder(on: Connection, holder: KeyOfSession): Promise<Caller | undefined> {
    if (holder.kind === "environment") return sessions.isAdminKey(holder.adminKeyCode) ? ENVIRONMENT : undefined;
    const key = await getApiKey(on, holder.keyId);
    const isValid = key?.revokedAt === null && (key.expiresAt === null || key.expiresAt.getTime() > Date.now());
    return isValid ? callers.ofKey(key) : undefined;
  }

  function byIdentity(c: Context<ApiEnv>): AcceptedSignIn {
    if (consoleIdentities === undefined) throw invalidRequest([{ pointer: "", detail: "must have a key or a code" }]);
    const identity = sessions.requireIdentity(c);
    return {
      caller: callerOfIdentity(identity),
      holder: { kind: "identity", identity: identity.name },
      method: "identity",
    };
  }
}

function showSession(caller: Caller) {
  const { session, name, keyId, targetId } = caller;
  return {
    name,
    key_id: keyId === null ? null : formatId("key", keyId),
    scopes: showScopes(caller),
    target_id: targetId === null ? null : formatId("tgt", targetId),
    expires_at: session?.expiresAt.toISOString(),
    method: session?.method,
  };
}

/** A session in the audit trail, which names the caller and the address beside it. */
const audited = ({ method, expiresAt }: NonNullable<Caller["session"]>) => ({
  method,
  expires_at: expiresAt.toISOString(),
});

const endedSession = (session: NonNullable<Caller["session"]>) =>
  ({ action: "session.ended", resourceId: formatId("ses", session.id), before: audited(session) }) as const;

/** @throws SluiceError `unsupported_media_type` or `invalid_request` */
async function readJsonBody<T extends z.ZodType>(c: Context<ApiEnv>, schema: T): Promise<z.infer<T>> {
  if (!announcesBody(c.req)) return requireBody(schema, {});
  // A form of another site can send every type but this one.
  if (!isJsonType(c.req.header("content-type"))) {
    throw new SluiceError("unsupported_media_type", "Send the body with the header content-type: application/json");
  }
  const given: unknown = await c.req.json().catch(() => {
    throw invalidRequest([{ pointer: "", detail: "must be valid JSON" }]);
  });
  return requireBody(schema, given);
}
