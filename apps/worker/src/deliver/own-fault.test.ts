import { expect, test } from "vitest";

import { isOwnFault } from "./own-fault.ts";

const failure = (code: string, fields: object = {}) => Object.assign(new Error(code), { code, ...fields });

test.for(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EAGAIN", "EAI_MEMORY"])("%s is a fault of this worker", (code) => {
  expect(isOwnFault(failure(code))).toBe(true);
  expect(isOwnFault(new Error("wrapped", { cause: failure(code) }))).toBe(true);
});

test.for(["ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EHOSTUNREACH", "ETIMEDOUT", "EPIPE", "CERT_HAS_EXPIRED"])(
  "%s says something about the target",
  (code) => expect(isOwnFault(failure(code))).toBe(false),
);

test("a name server that does not answer is no fault of a worker that can open files", () => {
  expect(isOwnFault(failure("EAI_AGAIN"))).toBe(false);
});

test("no free port is a fault of this worker, unless it has no address of the family at all", () => {
  expect(isOwnFault(failure("EADDRNOTAVAIL", { address: "127.0.0.1" }))).toBe(true);
  // Without an address nobody knows.
  expect(isOwnFault(failure("EADDRNOTAVAIL"))).toBe(false);
});

test("when one address of a host refuses, that is an answer about the target", () => {
  expect(isOwnFault(new AggregateError([failure("EMFILE"), failure("EMFILE")]))).toBe(true);
  expect(isOwnFault(new AggregateError([failure("ECONNREFUSED"), failure("EMFILE")]))).toBe(false);
});
