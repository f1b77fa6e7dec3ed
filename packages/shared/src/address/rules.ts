// Reads the rules of TARGET_ALLOW and TARGET_DENY: ranges of addresses, and names of hosts. An entry that could be read
// in two ways is a fault, because a rule that matches nothing protects nothing.

import { formatIp, type IpRange, isNetwork, parseRange, unmapped } from "./ip.ts";

export type AddressRule =
  | { kind: "range"; text: string; range: IpRange }
  /** `name` is in lower case, without a dot at its end. A wildcard matches all names below `name`, and not `name`. */
  | { kind: "name"; text: string; name: string; isWildcard: boolean };

/**
 * Reads a list separated by commas: `10.0.0.0/8, fd00::/8, 192.0.2.7, billing.internal, *.svc.cluster.local`.
 * @returns the rules, or a sentence on the first entry that is wrong; its subject is the list.
 */
export function readAddressRules(text: string): { rules: AddressRule[] } | { fault: string } {
  const rules: AddressRule[] = [];
  for (const entry of text.split(",").map((part) => part.trim())) {
    if (entry === "") continue;
    const rule = readRule(entry);
    if (typeof rule === "string") return { fault: `has ${JSON.stringify(entry)}, which ${rule}` };
    rules.push(rule);
  }
  return { rules };
}

/** @returns the rule, or the rest of a sentence on what is wrong: "is neither …". */
function readRule(text: string): AddressRule | string {
  const range = parseRange(text);
  if (range !== undefined) {
    if (!isNetwork(range)) return "has bits set beyond its prefix";
    const plain = unmapped(range.network);
    if (plain !== range.network) return `must be written as IPv4, as in ${formatIp(plain)}`;
    return { kind: "range", text, range };
  }
  const isWildcard = text.startsWith("*.");
  const name = isWildcard ? text.slice(2) : text;
  const isName = /^[\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)*\.?$/u.test(name) && URL.canParse(`http://${name}`);
  if (!isName) return "is neither an address, a range such as 10.0.0.0/8, nor a host name such as *.internal";
  const host = hostName(new URL(`http://${name}`).hostname);
  // "10.1" and "0x7f000001" are addresses to the URL parser.
  if (parseRange(host) !== undefined) return `must be written as an address of four decimal parts, as in ${host}`;
  return { kind: "name", text, name: host, isWildcard };
}

/**
 * The form in which names of hosts are compared: lower case, without the brackets of an IPv6 address and without a dot
 * at the end, which only says that the name is complete.
 * @param host as the URL parser writes it.
 */
export function hostName(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.+$/, "");
}

/** @param name as {@link hostName} writes it. */
export function matchesName(rule: AddressRule, name: string): boolean {
  if (rule.kind !== "name") return false;
  return rule.isWildcard ? name.endsWith(`.${rule.name}`) : name === rule.name;
}

/** Whether a name, as {@link hostName} writes it, leads to this machine by definition (RFC 6761, 6.3). */
export function isLocalhost(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost");
}
