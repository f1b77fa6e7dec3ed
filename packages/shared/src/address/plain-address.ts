// The address of a peer as logs and limits know it.

/**
 * A socket that takes IPv4 and IPv6 writes an IPv4 peer as an IPv6 address: `::ffff:192.0.2.1`. This function removes
 * the prefix and gives `192.0.2.1`. Any other text stays as it is.
 */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}
