import { createHash } from "node:crypto";

import { expect, test } from "vitest";

import { generateIngressToken, hashIngressToken, truncateIngressToken } from "./ingress-token.ts";

test("a token has 256 random bits, and fits into a path without escaping", () => {
  const tokens = Array.from({ length: 1_000 }, generateIngressToken);
  expect(new Set(tokens).size).toBe(tokens.length);
  for (const token of tokens) {
    expect(token).toMatch(/^it_[A-Za-z0-9_-]{43}$/);
    expect(new URL(`http://a.example/in/b/${token}`).pathname).toBe(`/in/b/${token}`);
  }
});

test("the SHA-256 of a token is stored, and its last four letters are shown", () => {
  const token = generateIngressToken();
  expect(hashIngressToken(token)).toEqual(createHash("sha256").update(token).digest());
  expect(truncateIngressToken(token)).toBe(`it_...${token.slice(-4)}`);
});
