// People whom a proxy names: who signs in, with which scope, and from where nobody does.

import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";

import { describe, expect, onTestFinished } from "vitest";

import { requireRange } from "@sluice/shared/address/ip";
import { newId } from "@sluice/shared/domain/ids";
import { closeServer, listen } from "@sluice/shared/runtime/http-server";

import {
  behindProxy,
  PROXY,
  SAME_ORIGIN,
  SESSION,
  setCookieOf,
  signIn,
} from "../../../../../tests/support/api/console-session.ts";
import { createTestApi, test } from "../../../../../tests/support/api/test-api.ts";
import { openServer } from "../../http/server.ts";
import { TrustedProxies } from "../../http/trusted-proxies.ts";
import { createApi } from "../api.ts";
import { readIdentityRules } from "./identities.ts";

const named = (email: string) => ({ "x-forwarded-email": email, ...SAME_ORIGIN });

function rulesOf(text: string) {
  const read = readIdentityRules(text);
  if ("fault" in read) throw new Error(read.fault);
  return read.rules;
}

describe("a person whom a proxy names", () => {
  const consoleIdentities = {
    header: "X-Forwarded-Email",
    rules: rulesOf("ann@example.com=admin, *@example.com=read, operators=write"),
  };

  test("signs in with the scope of the first rule that fits, and the audit trail names the person", async ({ api }) => {
    const own = await behindProxy(api, { consoleIdentities });
    const ann = await signIn(own, {}, named("accounts.google.com:Ann@Example.com"), PROXY);
    expect([ann.status, ann.body]).toMatchObject([
      201,
      { name: "ann@example.com", key_id: null, scopes: ["admin"], target_id: null, method: "identity" },
    ]);
    expect((await signIn(own, {}, named("bob@example.com"), PROXY)).body.scopes).toEqual(["read"]);
    expect((await signIn(own, {}, named("sales, operators"), PROXY)).body.scopes).toEqual(["write"]);
    const cookie = setCookieOf(ann);
    const call = (headers: Record<string, string>, remoteAddress = PROXY, on = own) =>
      on.call("POST", "/v1/sources", { key: null, headers, remoteAddress, body: { name: `of-${newId()}` } });
    expect((await call({ cookie, ...named("ann@example.com") })).status).toBe(201);
    const [entry] = (await own.call("GET", "/v1/audit?action=source.created&limit=1")).body.data;
    expect(entry.actor).toEqual({ key: null, name: "ann@example.com" });
    // The session is worth nothing without the proxy that names the person.
    expect((await call({ cookie, ...named("bob@example.com") })).status).toBe(401);
    expect((await call({ cookie, ...SAME_ORIGIN })).status).toBe(401);
    expect((await call({ cookie, ...named("ann@example.com") }, "192.0.2.1")).status).toBe(401);
    const narrowed = await behindProxy(api, {
      consoleIdentities: { ...consoleIdentities, rules: rulesOf("bob@example.com=read") },
    });
    expect((await call({ cookie, ...named("ann@example.com") }, PROXY, narrowed)).status).toBe(401);
    expect((await call({ cookie, ...named("ann@example.com") }, PROXY, await behindProxy(api))).status).toBe(401);
  });

  test("does not sign in from an untrusted address, without the header, or without a rule", async ({ api }) => {
    const own = await behindProxy(api, { consoleIdentities });
    const direct = await signIn(own, {}, named("ann@example.com"), "192.0.2.1");
    expect([direct.status, direct.body.code, direct.body.detail]).toEqual([
      403,
      "forbidden",
      expect.stringContaining("TRUSTED_PROXIES"),
    ]);
    expect((await signIn(own, {}, SAME_ORIGIN, PROXY)).status).toBe(401);
    for (const email of [
      "eve@evil.example",
      "eve@evil@example.com",
      "@example.com",
      "eve@evil.example, ann@example.com",
      "",
      "*@example.com=",
    ]) {
      expect((await signIn(own, {}, named(email), PROXY)).status, email).toBe(403);
    }
    expect((await signIn(await behindProxy(api), {}, named("ann@example.com"), PROXY)).status).toBe(400);
    expect((await signIn(own, {}, { "x-forwarded-email": "ann@example.com" }, PROXY)).body.code).toBe("cross_origin");
  });

  test("is not signed in by two headers, of which the client may have sent one", async ({ api }) => {
    const own = await createTestApi(api.db, {
      trustedProxies: new TrustedProxies([requireRange("127.0.0.1/32")]),
      consoleIdentities: { header: "X-Forwarded-Groups", rules: rulesOf("operators=admin, developers=read") },
    });
    const { server } = openServer(createApi(own).fetch, own.log);
    const url = new URL(SESSION, await listen(server, { host: "127.0.0.1", port: 0 }, "API_PORT"));
    onTestFinished(() => closeServer(server, 0));
    const statusOf = async (groups: string | string[]) => {
      const sent = request(url, { method: "POST", headers: { ...SAME_ORIGIN, "x-forwarded-groups": groups } }).end();
      const [answer] = (await once(sent, "response")) as [IncomingMessage];
      answer.resume();
      return answer.statusCode;
    };
    expect(await statusOf("developers")).toBe(201);
    expect(await statusOf("operators, developers")).toBe(201);
    expect(await statusOf(["operators", "developers"])).toBe(403);
  });

  test("cannot read the answer of another person's Idempotency-Key", async ({ api }) => {
    const own = await behindProxy(api, {
      consoleIdentities: { ...consoleIdentities, rules: rulesOf("*@example.com=write") },
    });
    const create = async (email: string) => {
      const cookie = setCookieOf(await signIn(own, {}, named(email), PROXY));
      const headers = { cookie, ...named(email), "idempotency-key": "shared-by-two" };
      return own.call("POST", "/v1/sources", {
        key: null,
        headers,
        remoteAddress: PROXY,
        body: { name: "by-two-people" },
      });
    };
    expect((await create("ann@example.com")).status).toBe(201);
    expect((await create("bob@example.com")).body.code).toBe("name_taken");
  });
});
