// Tells the failures of this worker from those of a target: the worker has no file descriptor, port or memory left for
// a connection. Such a failure says nothing about the target, and another worker could send the request now.

import { closeSync, openSync } from "node:fs";
import { isIP } from "node:net";
import { devNull, networkInterfaces } from "node:os";

/** Nothing reached the target, by a fault of this worker. The error is the fault. */
export interface NotSent {
  ownFault: unknown;
}

/** https://man7.org/linux/man-pages/man2/socket.2.html and connect.2.html; EAI_MEMORY is of getaddrinfo. */
const OWN_CODES = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EAGAIN", "EAI_MEMORY"]);

/** Whether a request could not be sent for want of the worker's own means. @param error that ended the request. */
export function isOwnFault(error: unknown): boolean {
  // One error for each address of the host. An address that refuses is an answer about the target.
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(isOwnFault);
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (OWN_CODES.has(code)) return true;
  // All ports of this machine are taken. On a machine without IPv6, each IPv6 address of a target gives this error too.
  if (code === "EADDRNOTAVAIL") return "address" in error && hasFamilyOf(String(error.address));
  // getaddrinfo says the same when the name server does not answer and when it cannot open a socket to ask.
  if (code === "EAI_AGAIN") return !canOpenFile();
  return error.cause !== undefined && isOwnFault(error.cause);
}

function hasFamilyOf(address: string): boolean {
  const family = isIP(address) === 6 ? "IPv6" : "IPv4";
  return Object.values(networkInterfaces()).some((all) => all?.some((one) => one.family === family));
}

function canOpenFile(): boolean {
  try {
    closeSync(openSync(devNull, "r"));
    return true;
  } catch {
    return false;
  }
}
