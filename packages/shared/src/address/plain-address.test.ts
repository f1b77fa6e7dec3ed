import { expect, test } from "vitest";

import { plainAddress } from "./plain-address.ts";

test.for([
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::FFFF:192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1%eth0", "192.0.2.1%eth0"],
  ["192.0.2.1", "192.0.2.1"],
  ["2001:db8::1", "2001:db8::1"],
  ["fe80::1%eth0", "fe80::1%eth0"],
  // Without the dots it is not an IPv4 address, and the rest alone would not be an IPv6 address.
  ["::ffff:c000:201", "::ffff:c000:201"],
  ["2001:db8::ffff:192.0.2.1", "2001:db8::ffff:192.0.2.1"],
  ["", ""],
] as const)("%j is %j", ([address, plain]) => {
  expect(plainAddress(address)).toBe(plain);
});
