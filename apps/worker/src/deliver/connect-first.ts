// Makes a TCP connection to the first address of a host that answers. Every address stays in the race until one has
// won (RFC 8305, "Happy Eyeballs"). Node's own way gives up an address after 250 ms: it never reaches a host whose
// handshake takes longer, and reports that as a limit of 30 s.

import type { LookupAddress } from "node:dns";
import { connect, type Socket } from "node:net";

import type { OpenSockets } from "./open-sockets.ts";

/** How long one address is tried alone: RFC 8305, 5, "Connection Attempt Delay". */
const NEXT_ADDRESS_AFTER_MS = 250;
/** So many silent addresses hold a descriptor each. The next one is tried when one of them has failed. */
const MOST_AT_ONCE = 4;
/** As undici sets them. The probes find a connection whose other end is gone. */
const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, highWaterMark: 64 * 1024 };

export interface Race {
  /** At least one. They are tried in this order, by turns of IPv4 and IPv6. */
  addresses: LookupAddress[];
  port: number;
  /** Counts each socket, also those that lose. */
  sockets: OpenSockets | undefined;
}

/**
 * @param done gets the connected socket; or the error of the only address, or an AggregateError with those of all.
 * @returns ends the race with an error, unless it is over.
 */
export function connectToFirst(
  { addresses, port, sockets }: Race,
  done: (...[error, socket]: [Error, null] | [null, Socket]) => void,
): (error: Error) => void {
  const waiting = alternateFamilies(addresses);
  const trying = new Set<Socket>();
  const errors: Error[] = [];
  let nextTry: NodeJS.Timeout | undefined;
  let isOver = false;

  const finish = (winner?: Socket) => {
    isOver = true;
    clearTimeout(nextTry);
    for (const socket of trying) if (socket !== winner) socket.destroy();
  };
  const tryNext = () => {
    clearTimeout(nextTry);
    const address = trying.size < MOST_AT_ONCE ? waiting.shift() : undefined;
    if (address === undefined) return;
    const socket = connect({ ...SOCKET_OPTIONS, host: address.address, port });
    trying.add(socket);
    sockets?.add(socket);
    // A socket that lost may fail later. Nobody listens to it any more, and an error without a listener is thrown.
    socket.on("error", (error) => {
      if (isOver) return;
      trying.delete(socket);
      errors.push(error);
      if (waiting.length > 0) {
        tryNext();
      } else if (trying.size === 0) {
        finish();
        const [first, second] = errors;
        done(first !== undefined && second === undefined ? first : new AggregateError(errors), null);
      }
    });
    socket.once("connect", () => {
      finish(socket);
      done(null, socket);
    });
    if (waiting.length > 0) nextTry = setTimeout(tryNext, NEXT_ADDRESS_AFTER_MS);
  };

  tryNext();
  return (error) => {
    if (isOver) return;
    finish();
    done(error, null);
  };
}

/** Begins with the family that the resolver prefers, and alternates: RFC 8305, 4. */
function alternateFamilies(addresses: LookupAddress[]): LookupAddress[] {
  const preferred = addresses.filter(({ family }) => family === addresses[0]?.family);
  const others = addresses.filter(({ family }) => family !== addresses[0]?.family);
  return preferred
    .flatMap((one, index) => [one, ...others.slice(index, index + 1)])
    .concat(others.slice(preferred.length));
}
