// The proxies that TRUSTED_PROXIES names. Anybody can write the headers by which a proxy tells of its client, so they count
// only on a connection from one of these.

import type { IncomingMessage } from "node:http";

import { type IpRange, isWithin, parseIp, unmapped } from "@sluice/shared/address/ip";
import { plainAddress } from "@sluice/shared/address/plain-address";

export class TrustedProxies {
  readonly #ranges: readonly IpRange[];

  constructor(ranges: readonly IpRange[]) {
    this.#ranges = ranges;
  }

  has(address: string): boolean {
    const ip = parseIp(address);
    return ip !== undefined && this.#ranges.some((range) => isWithin(unmapped(ip), range));
  }

  /** Whether one of them sent a request. @param incoming undefined when nothing is known about the connection. */
  sent(incoming: Pick<IncomingMessage, "socket"> | undefined): boolean {
    const address = incoming?.socket.remoteAddress;
    return this.#ranges.length > 0 && address !== undefined && this.has(plainAddress(address));
  }
}
