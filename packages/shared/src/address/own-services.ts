// Knows at which addresses and ports the relay's own services are, so that nobody makes the relay send requests to its
// API, to Redis or to PostgreSQL, which may trust every caller from inside the network.

import { networkInterfaces } from "node:os";

import { type Ip, isLoopback, parseIp, unmapped } from "./ip.ts";
import { resolveWithSystem, type ResolveHost } from "./resolve-host.ts";
import { hostName, isLocalhost } from "./rules.ts";

export interface OwnService {
  /** What it is, and which setting says where: "Redis (REDIS_URL)". */
  what: string;
  /** An address, `0.0.0.0` or `::` for every address of this machine, or a name. */
  host: string;
  port: number;
  /**
   * True where `host` is only how this process reaches the service. A service on this machine then counts as one that
   * listens on every address of the machine.
   */
  mayListenOnMore: boolean;
}

type ServicePlace =
  /** Every address of this machine. */
  | { kind: "machine" }
  | { kind: "address"; ip: Ip }
  /** `addresses` are those that DNS gave last; undefined when it gave none so far. */
  | { kind: "name"; name: string; addresses: readonly Ip[] | undefined; locating: Promise<void> | undefined };

interface PlacedService extends OwnService {
  place: ServicePlace;
}

const LOCALHOST = Uint8Array.of(127, 0, 0, 1);

export class OwnServices {
  readonly #byPort = new Map<number, PlacedService[]>();
  readonly #resolve: ResolveHost;
  readonly #listInterfaces: typeof networkInterfaces;

  /** @param services those with port 0 are left out: this process does not know where they listen. */
  constructor(
    services: readonly OwnService[] = [],
    resolve: ResolveHost = resolveWithSystem,
    listInterfaces = networkInterfaces,
  ) {
    this.#resolve = resolve;
    this.#listInterfaces = listInterfaces;
    for (const service of services) {
      const { port, host } = service;
      if (port === 0) continue;
      this.#byPort.set(port, [...(this.#byPort.get(port) ?? []), { ...service, place: placeOf(host) }]);
    }
  }

  /**
   * Asks DNS where the services at a port are now. Without a service that has a name, nothing is asked.
   * @returns the reason why that is not known; undefined when it is.
   */
  async locate(port: number): Promise<string | undefined> {
    const services = this.#byPort.get(port) ?? [];
    const named = services.flatMap(({ place }) => (place.kind === "name" ? [place] : []));
    await Promise.all(named.map((place) => this.#locateName(place)));
    const lost = services.find(({ place }) => place.kind === "name" && place.addresses === undefined);
    // Failure policy: closed. Any address could be that of the service.
    return lost && `port ${port}: the address of the relay's own ${lost.what} cannot be resolved now`;
  }

  /** @returns what the relay itself has at a name and port; undefined when that is not known without DNS. */
  findByName(name: string, port: number): string | undefined {
    if (isLocalhost(name)) return this.findByAddress([LOCALHOST], port);
    return this.#byPort.get(port)?.find(({ place }) => place.kind === "name" && place.name === name)?.what;
  }

  /**
   * @param reached the addresses that a packet to one address may end up at.
   * @returns what the relay itself has there, as far as {@link locate} found it.
   */
  findByAddress(reached: readonly Ip[], port: number): string | undefined {
    return this.#byPort.get(port)?.find((service) => this.#isAt(service, reached))?.what;
  }

  #isAt({ place, mayListenOnMore }: PlacedService, reached: readonly Ip[]): boolean {
    if (place.kind === "machine") return this.#hasOwn(reached);
    const addresses = place.kind === "address" ? [place.ip] : (place.addresses ?? []);
    if (addresses.some((one) => reached.some((other) => isSameHost(one, other)))) return true;
    return mayListenOnMore && this.#hasOwn(addresses) && this.#hasOwn(reached);
  }

  #hasOwn(addresses: readonly Ip[]): boolean {
    if (addresses.some(isLoopback)) return true;
    // Asked each time, because an address may come while the process runs.
    const own = Object.values(this.#listInterfaces()).flatMap((all) => all?.map(({ address }) => parseIp(address)));
    return own.some((ip) => ip !== undefined && addresses.some((other) => isSameHost(ip, other)));
  }

  /** Connections that begin together share one question. */
  async #locateName(place: ServicePlace & { kind: "name" }): Promise<void> {
    place.locating ??= new Promise<void>((resolve) => {
      this.#resolve(place.name, { all: true }, (error, found) => {
        const addresses = error === null ? found.flatMap(({ address }) => readAddress(address)) : [];
        // A service whose name is gone may go on listening where it was. A name that never was there has no service.
        if (addresses.length > 0) place.addresses = addresses;
        else if (error === null || error.code === "ENOTFOUND") place.addresses ??= [];
        resolve();
      });
    }).finally(() => {
      place.locating = undefined;
    });
    await place.locating;
  }
}

function placeOf(host: string): ServicePlace {
  const name = hostName(host);
  if (isLocalhost(name)) return { kind: "address", ip: LOCALHOST };
  const [ip] = readAddress(name);
  if (ip === undefined) return { kind: "name", name, addresses: undefined, locating: undefined };
  return ip.every((byte) => byte === 0) ? { kind: "machine" } : { kind: "address", ip };
}

function readAddress(text: string): Ip[] {
  const ip = parseIp(text);
  return ip === undefined ? [] : [unmapped(ip)];
}

/** All loopback addresses are those of this machine: who listens on one of them is found under the others too. */
function isSameHost(one: Ip, other: Ip): boolean {
  return (isLoopback(one) && isLoopback(other)) || Buffer.compare(one, other) === 0;
}
