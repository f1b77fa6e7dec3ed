import { expect, test } from "vitest";

import { examineSettings } from "./examine-settings.ts";

const examine = (values: Record<string, string>) =>
  examineSettings(
    Object.entries({ MASTER_KEY: "", ...values }).map(([name, value]) => ({
      name,
      is_secret: name === "MASTER_KEY",
      is_set: true,
      value,
    })),
  );

test.for([
  ["10.0.0.5", []],
  ["10.0.0.5/32, 192.168.7.0/24,fd00::/64", []],
  ["10.0.0.5,172.16.0.0/12, fc00::/7", ["172.16.0.0/12", "fc00::/7"]],
  ["0.0.0.0/0", ["0.0.0.0/0"]],
] as const)("with an identity header, trusted networks of many addresses are named: %s", ([networks, named]) => {
  const [finding, ...others] = examine({ CONSOLE_IDENTITY_HEADER: "x-email", TRUSTED_PROXIES: networks });
  expect(others).toEqual([]);
  expect(finding?.verdict).toBe(named.length === 0 ? "ok" : "warning");
  for (const network of named) expect(finding?.found).toContain(network);
});

test("without an identity header, a proxy only tells of its client, and may be anywhere in a network", () => {
  expect(examine({ TRUSTED_PROXIES: "10.0.0.0/8" })).toMatchObject([{ verdict: "ok" }]);
});
