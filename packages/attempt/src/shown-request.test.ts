// What may be shown of a request and its response, and what may not.

import { expect, test } from "vitest";

import { makeClaimedDelivery, makeLoadedTarget } from "../../../tests/support/in-hand.ts";
import { shownRequestHeaders, shownResponseHeaders, shownUrl } from "./shown-request.ts";

test.for([
  ["http://billing.internal/hooks", "http://billing.internal/hooks"],
  ["https://billing.internal:8443/hooks/", "https://billing.internal:8443/hooks/"],
  ["https://user:password@billing.internal/hooks#part", "https://billing.internal/hooks"],
  ["https://billing.internal/?key=a1b2&tenant=7", "https://billing.internal/?key=REDACTED&tenant=REDACTED"],
  ["https://billing.internal/?a1b2c3", "https://billing.internal/?REDACTED"],
  ["https://billing.internal/?key=a=b&&c", "https://billing.internal/?key=REDACTED&&REDACTED"],
] as const)("the URL %s is shown as %s", ([uri, shown]) => {
  expect(shownUrl(makeLoadedTarget({ uri }))).toBe(shown);
});

test("a request shows the names of configured headers, and of its own what differs from the usual", () => {
  const target = makeLoadedTarget({
    uri: "http://a.internal/",
    headers: { Authorization: "Bearer x", "X-Tenant": "7" },
  });
  const usual = makeClaimedDelivery(target);
  expect(shownRequestHeaders(makeLoadedTarget({ uri: "http://a.internal/" }), usual)).toEqual({});
  const unusual = { ...usual, contentType: "text/plain", contentEncoding: "gzip", bodyUnbound: true };
  expect(shownRequestHeaders(target, unusual)).toEqual({
    authorization: "[redacted]",
    "x-tenant": "[redacted]",
    "content-type": "text/plain",
    "content-encoding": "gzip",
    "sluice-body-unbound": "true",
  });
});

test("a response shows its headers without cookies, secrets and those of the connection", () => {
  const shown = shownResponseHeaders({
    "content-type": "text/plain",
    "set-cookie": ["session=1", "other=2"],
    "set-cookie2": "a=b",
    connection: "keep-alive",
    "keep-alive": "timeout=5",
    "transfer-encoding": "chunked",
    via: ["1.1 one", "1.1 two"],
    "x-auth-token": "a1b2",
    "x-api-key": "a1b2",
    "x-debug": "Bearer a1b2",
    "www-authenticate": 'Bearer realm="hooks"',
    location: "https://user:password@login.internal/a?code=a1b2#b",
    link: '<https://a.internal/?next=a1b2>; rel="next"',
  });
  expect(JSON.stringify(shown)).not.toMatch(/a1b2|password|session/);
  expect(shown).toEqual({
    "content-type": "text/plain",
    via: "1.1 one, 1.1 two",
    "x-auth-token": "[redacted]",
    "x-api-key": "[redacted]",
    "x-debug": "[redacted]",
    "www-authenticate": 'Bearer realm="hooks"',
    location: "https://login.internal/a?REDACTED",
    link: '<https://a.internal/?REDACTED>; rel="next"',
  });
});

test("a response shows at most 32 headers with 1,024 characters, and cuts long values", () => {
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`x-${index}`, "1"]));
  expect(Object.keys(shownResponseHeaders(many))).toHaveLength(32);
  const long = shownResponseHeaders({ "x-long": "v".repeat(10_000), "x-after": "1" });
  expect(long).toEqual({ "x-long": `${"v".repeat(255)}\u2026`, "x-after": "1" });
  const wide = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`x-${index}`, "v".repeat(200)]));
  expect(JSON.stringify(shownResponseHeaders(wide)).length).toBeLessThan(1_100);
});
