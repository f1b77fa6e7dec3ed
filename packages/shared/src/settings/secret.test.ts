import { inspect } from "node:util";

import { expect, test } from "vitest";

import { Secret } from "./secret.ts";

test("a secret shows its value only when it is asked to reveal it", () => {
  const secret = new Secret("hunter2");
  const shown = [
    inspect({ secret }, { depth: 9, showHidden: true }),
    inspect(secret, { customInspect: false, showHidden: true }),
    JSON.stringify({ secret }),
    JSON.stringify(Object.assign({}, secret)),
    String(secret),
    ["", secret].join(),
  ];
  for (const text of shown) expect(text).not.toContain("hunter2");
  expect(String(secret)).toBe("[secret]");
  expect(secret.reveal()).toBe("hunter2");
});
