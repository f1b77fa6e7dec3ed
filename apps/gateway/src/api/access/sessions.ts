// The sessions of the console: the cookie, and whom it stands for. A session has the rights that its key has at the time of the
// request, or that CONSOLE_IDENTITIES gives its person. Failure policy: closed.

import { createHmac, timingSafeEqual } from "node:crypto";

import type { Context } from "hono";
import { getCookie } from "hono/cookie";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { Secret } from "@sluice/shared/settings/secret";
import type { Database } from "@sluice/store/connection/database";
import { type FoundSession, findSession, type KeyOfSession } from "@sluice/store/requests/console-sessions";

import type { TrustedProxies } from "../../http/trusted-proxies.ts";
import type { ApiEnv, Caller } from "../http/api-env.ts";
import { type Callers, ENVIRONMENT } from "./callers.ts";
import { findIdentity, type Identity, type IdentityRule } from "./identities.ts";
import type { OwnSite } from "./own-site.ts";

export interface ConsoleIdentities {
  /** The header in which a proxy of TRUSTED_PROXIES names a person. */
  header: string;
  rules: readonly IdentityRule[];
}

export interface SessionsDependencies {
  db: Database;
  masterKey: MasterKey;
  adminApiKey: Secret<string> | undefined;
  trustedProxies: TrustedProxies;
  /** Undefined where no proxy signs people in. */
  consoleIdentities?: ConsoleIdentities | undefined;
}

/** With the prefix, a browser takes the cookie only from this very host and by TLS (RFC 6265bis, 4.1.3.2). */
const SECURE_COOKIE = "__Host-sluice";
const PLAIN_COOKIE = "sluice";

export class Sessions {
  readonly #dependencies: SessionsDependencies;
  readonly #callers: Callers;
  readonly #site: OwnSite;
  /** Stands for ADMIN_API_KEY in the database: a MAC, because people choose that key. */
  readonly #adminKeyCode: Buffer | undefined;

  constructor(dependencies: SessionsDependencies, callers: Callers, site: OwnSite) {
    this.#dependencies = dependencies;
    this.#callers = callers;
    this.#site = site;
    const { adminApiKey, masterKey } = dependencies;
    this.#adminKeyCode =
      adminApiKey &&
      createHmac("sha256", masterKey.deriveKey("console-admin-key")).update(adminApiKey.reveal()).digest();
  }

  cookieName(c: Context<ApiEnv>): string {
    return this.#site.isSecure(c) ? SECURE_COOKIE : PLAIN_COOKIE;
  }

  /** @returns what the cookie of the request has; undefined without one. It may stand for no session. */
  tokenOf(c: Context<ApiEnv>): string | undefined {
    return getCookie(c, this.cookieName(c)) || undefined;
  }

  /**
   * @returns the caller whom the cookie of the request stands for; undefined without a cookie, or when its session has ended.
   * @throws SluiceError `host_not_allowed` or `cross_origin` when another site may have sent the request.
   */
  async read(c: Context<ApiEnv>): Promise<Caller | undefined> {
    const token = this.tokenOf(c);
    if (token === undefined) return undefined;
    this.#site.requireHost(c);
    this.#site.requireOrigin(c);
    const found = await findSession(this.#dependencies.db, token);
    // The proxy names the person with each request: the browser may be another person's by now.
    const isOther = found?.holder.kind === "identity" && this.findIdentity(c)?.name !== found.holder.identity;
    return found === undefined || isOther ? undefined : this.#callerOf(found, token);
  }

  /** The person whom a trusted proxy names; undefined without one. */
  findIdentity(c: Context<ApiEnv>): Identity | undefined {
    const { consoleIdentities, trustedProxies } = this.#dependencies;
    if (consoleIdentities === undefined || !trustedProxies.sent(c.env?.incoming)) return undefined;
    const header = c.req.header(consoleIdentities.header);
    if (header === undefined || isSentTwice(c, consoleIdentities.header)) return undefined;
    return findIdentity(header, consoleIdentities.rules);
  }

  /** @throws SluiceError `forbidden` or `unauthenticated`, which say what is missing. */
  requireIdentity(c: Context<ApiEnv>): Identity {
    const { consoleIdentities, trustedProxies } = this.#dependencies;
    const header = consoleIdentities?.header ?? "";
    if (!trustedProxies.sent(c.env?.incoming)) {
      throw new SluiceError(
        "forbidden",
        "Only a proxy that TRUSTED_PROXIES names can say who you are; sign in with an API key",
      );
    }
    if (c.req.header(header) === undefined) {
      throw new SluiceError("unauthenticated", `The proxy sent no header ${header}; sign in with an API key`);
    }
    const identity = this.findIdentity(c);
    if (identity !== undefined) return identity;
    throw new SluiceError(
      "forbidden",
      `CONSOLE_IDENTITIES names nobody who is in the header ${header} of this request, or the header came twice`,
    );
  }

  /** What a session of a caller that sent an API key is bound to. */
  holderOf({ keyId }: Caller): KeyOfSession {
    if (keyId !== null) return { kind: "key", keyId };
    if (this.#adminKeyCode === undefined) throw new Error("Only ADMIN_API_KEY has no id");
    return { kind: "environment", adminKeyCode: this.#adminKeyCode };
  }

  /** Whether a code stands for ADMIN_API_KEY as it is now. */
  isAdminKey(code: Buffer): boolean {
    return this.#adminKeyCode !== undefined && timingSafeEqual(code, this.#adminKeyCode);
  }

  #callerOf({ id, method, expiresAt, holder }: FoundSession, token: string): Caller | undefined {
    const caller = this.#holderAsCaller(holder);
    if (caller === undefined) return undefined;
    const isStillValid = async () => {
      const again = await findSession(this.#dependencies.db, token);
      return again !== undefined && this.#holderAsCaller(again.holder) !== undefined;
    };
    return { ...caller, session: { id, method, expiresAt }, isStillValid };
  }

  #holderAsCaller(holder: FoundSession["holder"]): Caller | undefined {
    if (holder.kind === "key") return this.#callers.ofKey(holder.key);
    if (holder.kind === "environment") return this.isAdminKey(holder.adminKeyCode) ? ENVIRONMENT : undefined;
    const { consoleIdentities } = this.#dependencies;
    const identity = consoleIdentities && findIdentity(holder.identity, consoleIdentities.rules);
    return identity && callerOfIdentity(identity);
  }
}

/** Of two lines, the client may have sent one, which names a group that the person is not in. */
function isSentTwice(c: Context<ApiEnv>, header: string): boolean {
  const names = c.env?.incoming?.rawHeaders?.filter((_, index) => index % 2 === 0) ?? [];
  return names.filter((name) => name.toLowerCase() === header.toLowerCase()).length > 1;
}

export const callerOfIdentity = ({ name, scope }: Identity): Caller => ({
  keyId: null,
  name,
  identity: name,
  scopes: [scope],
  targetId: null,
  expiresAt: null,
});
