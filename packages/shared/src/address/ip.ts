// IP addresses as bytes, ranges of them, and the IPv4 addresses that an IPv6 address leads to. Pure.

import { isIP } from "node:net";

/** In network order: 4 bytes or 16. */
export type Ip = Uint8Array;

/** A network and how many of its first bits count. */
export interface IpRange {
  network: Ip;
  prefix: number;
}

/**
 * An address in the notation of a socket or resolver: dotted IPv4 with four decimal parts, or any form of IPv6. The zone
 * of an IPv6 address says by which interface it is reached and not where it leads, so it does not count.
 */
export function parseIp(text: string): Ip | undefined {
  const kind = isIP(text);
  if (kind === 0) return undefined;
  if (kind === 4) return Uint8Array.from(text.split("."), Number);
  // The URL parser writes every form as one (RFC 5952): hexadecimal, at most one "::", no dotted tail.
  const { hostname } = new URL(`http://[${text.replace(/%.*$/, "")}]`);
  const [head = "", tail] = hostname.slice(1, -1).split("::");
  const [first, last] = [readGroups(head), readGroups(tail)];
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 255]));
}

function readGroups(text = ""): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** `10.0.0.0/8`, `fd00::/8`, or one address. */
export function parseRange(text: string): IpRange | undefined {
  const [address = "", length, ...rest] = text.split("/");
  const network = address.includes("%") ? undefined : parseIp(address);
  if (network === undefined || rest.length > 0) return undefined;
  const bits = network.length * 8;
  if (length === undefined) return { network, prefix: bits };
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(length) || Number(length) > bits) return undefined;
  return { network, prefix: Number(length) };
}

/** Whether an address is in a range of its own family. */
export function isWithin(ip: Ip, { network, prefix }: IpRange): boolean {
  if (ip.length !== network.length) return false;
  return network.every((byte, index) => {
    const mask = maskOf(prefix - index * 8);
    return ((ip[index] ?? 0) & mask) === (byte & mask);
  });
}

/** Whether a range has no bits set beyond its prefix, as what is meant for one has. */
export function isNetwork({ network, prefix }: IpRange): boolean {
  return network.every((byte, index) => (byte & ~maskOf(prefix - index * 8) & 255) === 0);
}

const maskOf = (bits: number) => 255 & (255 << (8 - Math.min(8, Math.max(0, bits))));

const range = (text: string): IpRange => {
  const parsed = parseRange(text);
  if (parsed === undefined) throw new Error(`${text} is not a range`);
  return parsed;
};

/** What has IPv4 addresses inside, and at which bytes. */
const EMBEDDINGS: {
  within: IpRange;
  at: readonly (readonly [number, number, number, number])[];
  inverted?: boolean;
}[] = [
  // IPv4-mapped (RFC 4291, 2.5.5.2) and IPv4-compatible (2.5.5.1).
  { within: range("::ffff:0:0/96"), at: [[12, 13, 14, 15]] },
  { within: range("::/96"), at: [[12, 13, 14, 15]] },
  // IPv4-translated (RFC 2765, 2.1).
  { within: range("::ffff:0:0:0/96"), at: [[12, 13, 14, 15]] },
  // NAT64's well-known prefix (RFC 6052, 2.1).
  { within: range("64:ff9b::/96"), at: [[12, 13, 14, 15]] },
  // NAT64's prefix for local use (RFC 8215), of which a network takes a prefix of any length (RFC 6052, 2.2).
  {
    within: range("64:ff9b:1::/48"),
    at: [
      [6, 7, 9, 10],
      [7, 9, 10, 11],
      [9, 10, 11, 12],
      [12, 13, 14, 15],
    ],
  },
  // 6to4 (RFC 3056, 2).
  { within: range("2002::/16"), at: [[2, 3, 4, 5]] },
  // Teredo: its server, and its client with every bit inverted (RFC 4380, 4).
  { within: range("2001::/32"), at: [[4, 5, 6, 7]] },
  { within: range("2001::/32"), at: [[12, 13, 14, 15]], inverted: true },
];

const LOOPBACK = range("::1");

/** The IPv4 addresses that a packet to an IPv6 address may end up at, through whatever tunnel or translator. */
export function embeddedIpv4(ip: Ip): Ip[] {
  // ::1 has the form of an IPv4-compatible address, and is none.
  if (ip.length !== 16 || isWithin(ip, LOOPBACK)) return [];
  const pick = (at: readonly number[], inverted = false) =>
    Uint8Array.from(at, (index) => (ip[index] ?? 0) ^ (inverted ? 255 : 0));
  const found = EMBEDDINGS.filter(({ within }) => isWithin(ip, within)).flatMap(({ at, inverted }) =>
    at.map((bytes) => pick(bytes, inverted)),
  );
  // ISATAP (RFC 5214, 6.1): the interface id, under any prefix; the bit for "universal" may be set.
  const isIsatap = ((ip[8] ?? 0) & 0xfd) === 0 && ip[9] === 0 && ip[10] === 0x5e && ip[11] === 0xfe;
  return isIsatap ? [...found, pick([12, 13, 14, 15])] : found;
}

/** The IPv4 address that an IPv4-mapped one is to a socket; any other as it is. */
export function unmapped(ip: Ip): Ip {
  return isWithin(ip, range("::ffff:0:0/96")) ? ip.slice(12) : ip;
}

/** An IPv4 address as text. */
export function formatIpv4(ip: Ip): string {
  return ip.join(".");
}
