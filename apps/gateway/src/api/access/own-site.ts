// What a request with the cookie of a session must show beside it, so that no page of another site acts with the cookie. The
// Host is one that the operator named: a page whose name was bound to the relay's address (DNS rebinding) has its own. A
// request that changes something comes from a page of this very relay. Failure policy: closed.

import type { Context } from "hono";

import { isWithin, parseIp, unmapped } from "@sluice/shared/address/ip";
import { type AddressRule, hostName, matchesName } from "@sluice/shared/address/rules";
import { SluiceError } from "@sluice/shared/runtime/errors";

import type { TrustedProxies } from "../../http/trusted-proxies.ts";
import { type ApiEnv, isSafeMethod } from "../http/api-env.ts";

export interface OwnSiteDependencies {
  trustedProxies: TrustedProxies;
  /** The host names of API_HOSTS, beside those of the machine itself. */
  apiHosts: readonly AddressRule[];
}

/** A browser resolves `localhost` to the machine itself and to nothing else. */
const OWN_NAMES = ["localhost", "127.0.0.1", "::1"];
/** A name or an address, in brackets for IPv6, and a port. */
const HOST = /^(\[[0-9a-f:.]+\]|[^[\]:@/?#\\\s]+)(?::\d{1,5})?$/i;
/** What a browser says of a request that no page of another site began. `none`: the person typed the address. */
const OWN_SITES = ["same-origin", "none"];

export class OwnSite {
  readonly #proxies: TrustedProxies;
  readonly #hosts: readonly AddressRule[];

  constructor({ trustedProxies, apiHosts }: OwnSiteDependencies) {
    this.#proxies = trustedProxies;
    this.#hosts = apiHosts;
  }

  /** Whether the browser speaks TLS, with the relay or with a trusted proxy. */
  isSecure(c: Context<ApiEnv>): boolean {
    const incoming = c.env?.incoming;
    if (incoming !== undefined && "encrypted" in incoming.socket) return true;
    if (!this.#proxies.sent(incoming)) return false;
    const forwarded = /(?:^|;)\s*proto\s*=\s*"?([a-z]+)/i.exec(c.req.header("forwarded")?.split(",")[0] ?? "")?.[1];
    const [scheme = forwarded] = (c.req.header("x-forwarded-proto") ?? forwarded ?? "").split(",");
    return scheme?.trim().toLowerCase() === "https";
  }

  /** @throws SluiceError `host_not_allowed` */
  requireHost(c: Context<ApiEnv>): void {
    const host = HOST.exec(hostOf(c))?.[1];
    if (host !== undefined && this.#isKnown(hostName(host))) return;
    throw new SluiceError(
      "host_not_allowed",
      `The console and its sessions do not work under the host name ${JSON.stringify(hostOf(c).slice(0, 100))}. If people are meant to ` +
        "reach the API by this name, add it to the setting API_HOSTS of the gateway",
    );
  }

  /** @throws SluiceError `cross_origin` */
  requireOrigin(c: Context<ApiEnv>): void {
    // Counts more than `Origin`. Behind a proxy that nobody trusts, the relay takes a page by http for one of its own by https.
    const site = c.req.header("sec-fetch-site");
    if (isSafeMethod(c.req.method)) {
      if (site === undefined || OWN_SITES.includes(site)) return;
    } else if (site === undefined ? c.req.header("origin") === this.#originOf(c) : site === "same-origin") return;
    throw new SluiceError(
      "cross_origin",
      "A request with the cookie of the console must come from a page of this relay. Send an API key from elsewhere",
    );
  }

  #originOf(c: Context<ApiEnv>): string {
    return `${this.isSecure(c) ? "https" : "http"}://${hostOf(c)}`;
  }

  #isKnown(name: string): boolean {
    if (OWN_NAMES.includes(name)) return true;
    const address = parseIp(name);
    return this.#hosts.some((rule) =>
      rule.kind === "range"
        ? address !== undefined && isWithin(unmapped(address), rule.range)
        : matchesName(rule, name),
    );
  }
}

const hostOf = (c: Context<ApiEnv>): string => c.req.header("host") ?? new URL(c.req.url).host;
