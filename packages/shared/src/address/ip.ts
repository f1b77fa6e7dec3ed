// IP addresses as bytes, ranges of addresses, and the IPv4 addresses that an IPv6 address leads to. Pure.

import { BlockList, isIP } from "node:net";

/** In network order: the 4 bytes of an IPv4 address, or the 16 bytes of an IPv6 address. */
export type Ip = Uint8Array;

/** All addresses that share the first `prefix` bits of `network`. */
export interface IpRange {
  network: Ip;
  prefix: number;
  /** The range for Node's own comparison of addresses. */
  addresses: BlockList;
}

/**
 * The bytes of an address: 4 for IPv4, 16 for IPv6 in any of its forms. Undefined when the text is not an address as
 * sockets and resolvers write it; they write IPv4 with four decimal parts. The zone of an IPv6 address (`%eth0`) is
 * dropped: it names the interface to the address, and not another address.
 */
export function parseIp(text: string): Ip | undefined {
  const kind = isIP(text);
  if (kind === 0) return undefined;
  if (kind === 4) return Uint8Array.from(text.split("."), Number);
  // The URL parser turns every form into one (RFC 5952): hexadecimal groups, at most one "::", no dotted IPv4 at the
  // end.
  const { hostname } = new URL(`http://[${text.replace(/%.*$/, "")}]`);
  const [head = "", tail] = hostname.slice(1, -1).split("::");
  const [first, last] = [readGroups(head), readGroups(tail)];
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 255]));
}

function readGroups(text = ""): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** An address as text: `192.0.2.1`, or all eight groups of an IPv6 address. */
export function formatIp(ip: Ip): string {
  if (ip.length === 4) return ip.join(".");
  const { buffer, byteOffset, byteLength } = ip;
  const view = new DataView(buffer, byteOffset, byteLength);
  return Array.from({ length: 8 }, (_, group) => view.getUint16(group * 2).toString(16)).join(":");
}

/** Reads `10.0.0.0/8`, `fd00::/8`, or one address. Undefined for any other text. */
export function parseRange(text: string): IpRange | undefined {
  const [address = "", length, ...rest] = text.split("/");
  const network = address.includes("%") ? undefined : parseIp(address);
  if (network === undefined || rest.length > 0) return undefined;
  const bits = network.length * 8;
  const isLength = length === undefined || (/^(?:0|[1-9][0-9]{0,2})$/.test(length) && Number(length) <= bits);
  if (!isLength) return undefined;
  const prefix = Number(length ?? bits);
  const addresses = new BlockList();
  addresses.addSubnet(formatIp(network), prefix, familyOf(network));
  return { network, prefix, addresses };
}

/** {@link parseRange} for a range that is written in the code. @throws Error when the text is not a range. */
export function requireRange(text: string): IpRange {
  const range = parseRange(text);
  if (range === undefined) throw new Error(`${text} is not a range`);
  return range;
}

/**
 * Whether an address is in a range of its own family. An IPv4-mapped address is an IPv6 address here, although
 * BlockList alone would find it in an IPv4 range: {@link embeddedIpv4} finds all embedded addresses.
 */
export function isWithin(ip: Ip, { network, addresses }: IpRange): boolean {
  return ip.length === network.length && addresses.check(formatIp(ip), familyOf(ip));
}

/** Whether all bits of the network beyond the prefix are zero. Otherwise the range is probably a mistake. */
export function isNetwork({ network, prefix }: IpRange): boolean {
  const bits = Array.from(network, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return !bits.includes("1", prefix);
}

const familyOf = (ip: Ip) => (ip.length === 4 ? "ipv4" : "ipv6");

const IPV4_MAPPED = requireRange("::ffff:0:0/96");
const LOOPBACK = requireRange("::1");
const IPV4_LOOPBACK = requireRange("127.0.0.0/8");
const LAST_BYTES = [12, 13, 14, 15];

/** The ranges whose addresses hold IPv4 addresses, and the positions of the four bytes of each. */
const EMBEDDINGS: { range: IpRange; positions: number[][]; isInverted?: boolean }[] = [
  // IPv4-mapped (RFC 4291, 2.5.5.2) and IPv4-compatible (2.5.5.1).
  { range: IPV4_MAPPED, positions: [LAST_BYTES] },
  { range: requireRange("::/96"), positions: [LAST_BYTES] },
  // IPv4-translated (RFC 2765, 2.1).
  { range: requireRange("::ffff:0:0:0/96"), positions: [LAST_BYTES] },
  // NAT64's well-known prefix (RFC 6052, 2.1).
  { range: requireRange("64:ff9b::/96"), positions: [LAST_BYTES] },
  // NAT64's prefix for local use (RFC 8215). A network may take a longer prefix in it, so the address has one of four
  // places (RFC 6052, 2.2).
  {
    range: requireRange("64:ff9b:1::/48"),
    positions: [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], LAST_BYTES],
  },
  // 6to4 (RFC 3056, 2).
  { range: requireRange("2002::/16"), positions: [[2, 3, 4, 5]] },
  // Teredo: the address of its server, and that of its client with every bit inverted (RFC 4380, 4).
  { range: requireRange("2001::/32"), positions: [[4, 5, 6, 7]] },
  { range: requireRange("2001::/32"), positions: [LAST_BYTES], isInverted: true },
];

/** The IPv4 addresses that a packet to an IPv6 address may end up at, through any tunnel or translator. */
export function embeddedIpv4(ip: Ip): Ip[] {
  // ::1 has the form of an IPv4-compatible address and is none.
  if (ip.length !== 16 || isWithin(ip, LOOPBACK)) return [];
  const pick = (positions: number[], isInverted = false) =>
    Uint8Array.from(positions, (position) => (ip[position] ?? 0) ^ (isInverted ? 255 : 0));
  const found = EMBEDDINGS.filter(({ range }) => isWithin(ip, range)).flatMap(({ positions, isInverted }) =>
    positions.map((bytes) => pick(bytes, isInverted)),
  );
  // ISATAP has its mark in the interface id, under any prefix (RFC 5214, 6.1). The bit for "universal" may be set.
  const isIsatap = ((ip[8] ?? 0) & 0xfd) === 0 && ip[9] === 0 && ip[10] === 0x5e && ip[11] === 0xfe;
  return isIsatap ? [...found, pick(LAST_BYTES)] : found;
}

/** Whether an address leads to this machine itself (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3). Not for embedded addresses. */
export function isLoopback(ip: Ip): boolean {
  return isWithin(ip, LOOPBACK) || isWithin(ip, IPV4_LOOPBACK);
}

/** The IPv4 address in an IPv4-mapped address, because a socket connects to it; any other address unchanged. */
export function unmapped(ip: Ip): Ip {
  return isWithin(ip, IPV4_MAPPED) ? ip.slice(12) : ip;
}
