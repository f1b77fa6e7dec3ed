// Finds who holds an API key. A network that tries too many wrong keys has to wait.

import { timingSafeEqual } from "node:crypto";

import type { Context } from "hono";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import type { Secret } from "@sluice/shared/settings/secret";
import { findApiKey, hashApiKey, isKeyValid, type KeyHolder } from "@sluice/store/configuration/api-keys";
import type { Database } from "@sluice/store/connection/database";

import type { ApiEnv, Caller } from "../http/api-env.ts";
import { FailedTries } from "./failed-tries.ts";
import { KeyUses } from "./key-uses.ts";

export interface CallersDependencies {
  db: Database;
  /** The key from `ADMIN_API_KEY`, which has every scope and also works while PostgreSQL is down. */
  adminApiKey: Secret<string> | undefined;
  /** The key from `METRICS_KEY`, which opens nothing but the metrics. */
  metricsKey?: Secret<string> | undefined;
  log: Logger;
}

export const ENVIRONMENT: Caller = {
  keyId: null,
  name: "ADMIN_API_KEY",
  scopes: ["admin"],
  targetId: null,
  expiresAt: null,
};
const SCRAPER: Caller = { keyId: null, name: "METRICS_KEY", scopes: ["read"], targetId: null, expiresAt: null };
const METRICS_PATH = "/metrics";

export class Callers {
  readonly #db: Database;
  readonly #adminHash: Buffer | undefined;
  readonly #metricsHash: Buffer | undefined;
  readonly #failedTries = new FailedTries();
  readonly #uses: KeyUses;

  constructor({ db, adminApiKey, metricsKey, log }: CallersDependencies) {
    this.#db = db;
    this.#uses = new KeyUses(db, log);
    this.#adminHash = adminApiKey && hashApiKey(adminApiKey.reveal());
    this.#metricsHash = metricsKey && hashApiKey(metricsKey.reveal());
  }

  /**
   * @returns the holder of a key.
   * @throws SluiceError `unauthenticated`, `rate_limited`, and `forbidden` for METRICS_KEY elsewhere than at the metrics.
   */
  async require(c: Context<ApiEnv>, key: string): Promise<Caller> {
    const hash = hashApiKey(key);
    if (this.#adminHash !== undefined && timingSafeEqual(hash, this.#adminHash)) return ENVIRONMENT;
    if (this.#metricsHash !== undefined && timingSafeEqual(hash, this.#metricsHash)) {
      if (c.req.path === METRICS_PATH) return SCRAPER;
      throw new SluiceError("forbidden", `METRICS_KEY opens ${METRICS_PATH} only`);
    }
    const holder = await findApiKey(this.#db, key);
    if (holder === undefined) throw this.refuse(c, "The API key is not known, has expired or was revoked");
    return this.ofKey(holder);
  }

  /** The caller that a stored key, which is valid, stands for. */
  ofKey(holder: KeyHolder): Caller {
    this.#uses.note(holder.id);
    return { ...holder, keyId: holder.id, isStillValid: () => isKeyValid(this.#db, holder.id) };
  }

  /**
   * Counts a try that failed. It is counted only after the look-up has failed, so a valid key is never refused for it: behind
   * a proxy all callers may share one address.
   * @returns the error to throw.
   */
  refuse(c: Context<ApiEnv>, detail: string): SluiceError {
    const waitSeconds = this.#failedTries.add(c.get("remoteAddress"), Date.now());
    if (waitSeconds === 0) return unauthenticated(c, detail);
    const message = "Your network sent too many requests with API keys that are not valid; check the key";
    return new SluiceError("rate_limited", message, { retryAfterSeconds: waitSeconds });
  }
}

export function unauthenticated(c: Context<ApiEnv>, detail: string): SluiceError {
  c.header("www-authenticate", "Bearer");
  return new SluiceError("unauthenticated", detail);
}
