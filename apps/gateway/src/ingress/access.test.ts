// Tests who may use the path of a source.

import { createSecretKey, randomBytes, randomUUID } from "node:crypto";

import { expect, test } from "vitest";

import { type CallbackToken, mintCallbackToken } from "@sluice/signature/callback-token";
import { generateIngressToken, hashIngressToken } from "@sluice/signature/ingress-token";
import type { Source } from "@sluice/store/configuration/sources";

import { judgeAccess } from "./access.ts";

const NOW_MS = Date.UTC(2026, 0, 22, 12);
const key = createSecretKey(randomBytes(32));
const [current, other, overlapping, expired] = Array.from({ length: 4 }, generateIngressToken) as [
  string,
  string,
  string,
  string,
];

const source: Source = {
  id: randomUUID(),
  name: "dynamic",
  kind: "dynamic",
  schemes: ["v1a", "jwt"],
  toleranceSeconds: 300,
  hmacKeys: [],
  publicKeys: [],
  audiences: [],
  issuers: [],
  tokenTypes: [],
  maxTokenSeconds: 3_600,
  jwksUri: null,
  bodyUnbound: "reject",
  ingressTokens: [
    { hash: hashIngressToken(expired), expiresAtMs: NOW_MS },
    { hash: hashIngressToken(overlapping), expiresAtMs: NOW_MS + 1 },
    { hash: hashIngressToken(current), expiresAtMs: undefined },
  ],
};

const callback: CallbackToken = {
  id: randomUUID(),
  sourceId: source.id,
  labels: { job: "42" },
  expiresAtMs: NOW_MS + 1,
  singleUse: false,
};

const judge = (token: string | undefined, of = source, nowMs = NOW_MS) => {
  const access = judgeAccess(of, token, key, nowMs);
  return access.kind === "granted" ? access.kind : access.reason;
};

test("a static source is public and takes no token, not even a valid one", () => {
  const statically: Source = { ...source, kind: "static" };
  expect(judge(undefined, statically)).toBe("granted");
  for (const token of [current, mintCallbackToken(key, callback), ""])
    expect(judge(token, statically)).toBe("unknown_token");
});

test("each token of a dynamic source grants access until it expires", () => {
  expect(judge(current)).toBe("granted");
  expect(judge(overlapping)).toBe("granted");
  expect(judge(overlapping, source, NOW_MS + 1)).toBe("expired_token");
  expect(judge(expired)).toBe("expired_token");
});

test("a dynamic source refuses everything that is not one of its tokens", () => {
  expect(judge(undefined)).toBe("missing_token");
  for (const token of [
    "",
    other,
    current.slice(0, -1),
    `${current}A`,
    current.toUpperCase(),
    ` ${current}`,
    hashIngressToken(current).toString("hex"),
    hashIngressToken(current).toString("base64url"),
  ]) {
    expect(judge(token), token).toBe("unknown_token");
  }
  expect(judge(current, { ...source, ingressTokens: [] })).toBe("unknown_token");
});

test("the token of a callback URL grants access to its source, with its labels, until it expires", () => {
  const token = mintCallbackToken(key, callback);
  expect(judgeAccess(source, token, key, NOW_MS)).toEqual({ kind: "granted", callback });
  expect(judge(token, source, NOW_MS + 1)).toBe("expired_token");
  expect(judge(token, { ...source, id: randomUUID() })).toBe("unknown_token");
  expect(judge(mintCallbackToken(createSecretKey(randomBytes(32)), callback))).toBe("unknown_token");
});

test("the token of a callback URL is refused after a change of any bit", () => {
  const token = Buffer.from(mintCallbackToken(key, callback));
  for (let bit = 0; bit < token.length * 8; bit++) {
    const changed = Buffer.from(token);
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    expect(judge(changed.toString("latin1"))).toBe("unknown_token");
  }
});
