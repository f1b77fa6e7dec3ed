// The network that a limit counts for, because one person may hold many addresses.

import { formatIp, parseIp, unmapped } from "./ip.ts";

/**
 * An IPv4 address by itself, or the /64 of an IPv6 address, because a provider gives each customer at least a /64. A text
 * that is no IP address is returned as it is.
 */
export function networkOf(address: string): string {
  const parsed = parseIp(address);
  if (parsed === undefined) return address;
  const ip = unmapped(parsed);
  return ip.length === 4 ? formatIp(ip) : `${formatIp(ip).split(":").slice(0, 4).join(":")}::/64`;
}
