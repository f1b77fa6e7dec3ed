// Which addresses a target may have. The gateway asks for what it can see in a URI, the worker for every address before
// it connects to it. Private networks are open, because that is where targets are.

import { FORBIDDEN_RANGES } from "./forbidden.ts";
import { embeddedIpv4, formatIpv4, type Ip, isWithin, parseIp, unmapped } from "./ip.ts";
import { type AddressRule, hostName } from "./rules.ts";

export interface AddressGuard {
  /**
   * What can be said before a name is resolved; of a host that is an address, everything.
   * @param host of a URL, which is where its parser makes one of all spellings of an address.
   * @returns why it is refused.
   */
  refuseHost: (host: string) => string | undefined;
  /**
   * @param address that the host was resolved to.
   * @returns why it is refused.
   */
  refuseAddress: (host: string, address: string) => string | undefined;
}

export interface AddressRules {
  /** When there are any, only what matches one of them is open. */
  allow: readonly AddressRule[];
  /** Wins over `allow`. */
  deny: readonly AddressRule[];
}

export function createAddressGuard({ allow, deny }: AddressRules): AddressGuard {
  const notAllowed = "not in TARGET_ALLOW";
  const hasAllowedRanges = allow.some(({ kind }) => kind === "range");

  const refuseHost = (host: string): string | undefined => {
    const name = hostName(host);
    if (parseIp(name) !== undefined) return refuseAddress(host, name);
    const denied = deny.find((rule) => matchesName(rule, name));
    if (denied !== undefined) return `${name}: TARGET_DENY has ${denied.text}`;
    // Which addresses a name has is seen when it is resolved.
    if (allow.length === 0 || hasAllowedRanges || allow.some((rule) => matchesName(rule, name))) return undefined;
    return `${name}: ${notAllowed}`;
  };

  const refuseAddress = (host: string, address: string): string | undefined => {
    const name = hostName(host);
    const ip = parseIp(address);
    const shown = name === address ? address : `${name} is ${address}`;
    // Failure policy: closed. What cannot be read cannot be compared.
    if (ip === undefined) return `${shown}: not an address`;
    const reached = [ip, ...embeddedIpv4(ip)];
    for (const { range, name: what } of FORBIDDEN_RANGES) {
      const found = reached.find((one) => isWithin(one, range));
      if (found !== undefined) return `${shown}: ${holds(ip, found)}${what}`;
    }
    for (const rule of deny) {
      if (matchesName(rule, name)) return `${shown}: TARGET_DENY has ${rule.text}`;
      const found = rule.kind === "range" ? reached.find((one) => isWithin(one, rule.range)) : undefined;
      if (found !== undefined) return `${shown}: ${holds(ip, found)}TARGET_DENY has ${rule.text}`;
    }
    // Not by what is embedded: who allows an IPv4 network has not allowed the translators that lead there.
    const plain = unmapped(ip);
    const isAllowed = (rule: AddressRule) =>
      rule.kind === "range" ? isWithin(plain, rule.range) : matchesName(rule, name);
    return allow.length === 0 || allow.some(isAllowed) ? undefined : `${shown}: ${notAllowed}`;
  };

  return { refuseHost, refuseAddress };
}

function matchesName(rule: AddressRule, name: string): boolean {
  if (rule.kind !== "name") return false;
  return rule.isWildcard ? name.endsWith(`.${rule.name}`) : name === rule.name;
}

/** Says by which IPv4 address inside an IPv6 address that one is refused. */
function holds(ip: Ip, found: Ip): string {
  return found === ip ? "" : `holds ${formatIpv4(found)}, `;
}
