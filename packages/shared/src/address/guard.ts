// Decides which addresses the relay connects to because somebody named them: those of targets and of key sets. The API
// checks the host in a URI. Whoever connects checks every address right before that. Private networks are open, because
// many targets are there.

import { FORBIDDEN_RANGES } from "./forbidden.ts";
import { embeddedIpv4, formatIp, type Ip, isLoopback, isWithin, parseIp, unmapped } from "./ip.ts";
import type { OwnServices } from "./own-services.ts";
import { type AddressRule, hostName, isLocalhost, matchesName } from "./rules.ts";

export interface AddressGuard {
  /**
   * Judges a host before its name is resolved. For a host that is an address, this judgement is complete.
   * @param host the host of a parsed URL: the URL parser turns all spellings of an address into one.
   * @returns the reason why the host is refused; undefined when it is open so far.
   */
  refuseHost: (host: string, port: number) => string | undefined;
  /**
   * Judges an address that a host was resolved to.
   * @returns the reason why the address is refused; undefined when it is open.
   */
  refuseAddress: (host: string, address: string, port: number) => string | undefined;
  /**
   * Finds out where the relay's own services at a port are now. Every connection waits for it before it is judged.
   * @returns the reason why that is not known, and nobody may connect; undefined when it is known.
   */
  locateOwnServices: (port: number) => Promise<string | undefined>;
}

export interface AddressRules {
  /** When there are any, only hosts and addresses that match one of them are open. */
  allow: readonly AddressRule[];
  /** Wins over `allow`. */
  deny: readonly AddressRule[];
  /** Whether loopback addresses are open, and the setting that opens them. `allow` does not open them. */
  loopback: { isOpen: boolean; setting: string };
  /** What no rule opens. */
  ownServices: OwnServices;
}

export function createAddressGuard({ allow, deny, loopback, ownServices }: AddressRules): AddressGuard {
  const notAllowed = "not in TARGET_ALLOW";
  const hasAllowedRanges = allow.some(({ kind }) => kind === "range");

  const closedLoopback = `loopback, which ${loopback.setting}=allow opens`;

  const refuseHost = (host: string, port: number): string | undefined => {
    const name = hostName(host);
    if (parseIp(name) !== undefined) return refuseAddress(host, name, port);
    const own = ownServices.findByName(name, port);
    if (own !== undefined) return describeOwn(name, port, own);
    if (!loopback.isOpen && isLocalhost(name)) return `${name}: ${closedLoopback}`;
    const denied = deny.find((rule) => matchesName(rule, name));
    if (denied !== undefined) return `${name}: TARGET_DENY has ${denied.text}`;
    // A name may have an address in an allowed range. That is judged when the name is resolved.
    if (allow.length === 0 || hasAllowedRanges || allow.some((rule) => matchesName(rule, name))) return undefined;
    return `${name}: ${notAllowed}`;
  };

  const refuseAddress = (host: string, address: string, port: number): string | undefined => {
    const name = hostName(host);
    const ip = parseIp(address);
    const shown = name === address ? address : `${name} is ${address}`;
    // Failure policy: closed. Text that is not an address cannot be compared with the ranges.
    if (ip === undefined) return `${shown}: not an address`;
    const reached = [ip, ...embeddedIpv4(ip)];
    for (const { range, name: what } of FORBIDDEN_RANGES) {
      const found = reached.find((one) => isWithin(one, range));
      if (found !== undefined) return `${shown}: ${describeEmbedded(ip, found)}${what}`;
    }
    const own = ownServices.findByAddress(reached.map(unmapped), port);
    if (own !== undefined) return describeOwn(shown, port, own);
    const local = loopback.isOpen ? undefined : reached.find(isLoopback);
    if (local !== undefined) return `${shown}: ${describeEmbedded(ip, local)}${closedLoopback}`;
    for (const rule of deny) {
      if (matchesName(rule, name)) return `${shown}: TARGET_DENY has ${rule.text}`;
      const found = rule.kind === "range" ? reached.find((one) => isWithin(one, rule.range)) : undefined;
      if (found !== undefined) return `${shown}: ${describeEmbedded(ip, found)}TARGET_DENY has ${rule.text}`;
    }
    // Embedded addresses do not count here: an operator who allows an IPv4 network has not allowed the translators that
    // lead to it.
    const plain = unmapped(ip);
    const isAllowed = (rule: AddressRule) =>
      rule.kind === "range" ? isWithin(plain, rule.range) : matchesName(rule, name);
    return allow.length === 0 || allow.some(isAllowed) ? undefined : `${shown}: ${notAllowed}`;
  };

  return {
    refuseHost,
    refuseAddress,
    locateOwnServices: (port) => ownServices.locate(port),
  };
}

/** The port that a parsed URL leads to. */
export function portOf({ port, protocol }: Pick<URL, "port" | "protocol">): number {
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

function describeOwn(shown: string, port: number, what: string): string {
  return `${shown}, port ${port}: the relay's own ${what}`;
}

/** Names the IPv4 address for which an IPv6 address is refused; empty when the address itself is in the range. */
function describeEmbedded(ip: Ip, found: Ip): string {
  return found === ip ? "" : `holds ${formatIp(found)}, `;
}
