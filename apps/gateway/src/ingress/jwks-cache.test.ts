// Tests the cache of key sets with real endpoints and everything that they can do wrong. Only the clock belongs to the
// test.

import { describe, expect, onTestFinished, test } from "vitest";

import { openLog } from "@sluice/shared/runtime/log";
import { judgeHeaders } from "@sluice/signature/verify";
import { loadKeySets, saveKeySet, type StoredKeySet } from "@sluice/store/configuration/key-sets";
import type { Source } from "@sluice/store/configuration/sources";

import { createTestDatabase } from "../../../../tests/support/database.ts";
import { guardOf } from "../../../../tests/support/guard.ts";
import { type JwksServer, startJwksServer } from "../../../../tests/support/jwks-server.ts";
import { signV1a } from "../../../../tests/support/signing/sign-v1a.ts";
import {
  AUDIENCE,
  inAWord,
  newEd25519Key,
  newRsaKey,
  NOW_MS,
  type TestKey,
  tokenOf,
  webhookOf,
} from "../../../../tests/support/signing/test-webhooks.ts";
import type { ReceivedWebhook } from "../../../../tests/support/signing/verify-webhook.ts";
import { until } from "../../../../tests/support/wait.ts";
import { fetchKeySet } from "./fetch-key-set.ts";
import { judgeRequest } from "./judge.ts";
import { JwksCache, type JwksCacheDependencies } from "./jwks-cache.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const [ed25519, rotated, stranger] = [newEd25519Key("ed-1"), newEd25519Key("ed-2"), newEd25519Key("ed-3")];
const rsa = newRsaKey("rsa-1");

/** An event with a `v1a` signature. */
function signedBy(key: TestKey): ReceivedWebhook {
  const webhook = webhookOf();
  return { ...webhook, signature: signV1a(key.key, "msg_1", String(NOW_MS / 1000), webhook.body) };
}
const withToken = async (key: TestKey): Promise<ReceivedWebhook> => webhookOf({ signature: await tokenOf(key) });

const sourceAt = (jwksUri: string): Source => ({
  id: "b1f6f7f0-0000-7000-8000-000000000000",
  name: "dynamic",
  kind: "dynamic",
  schemes: ["v1a", "jwt"],
  toleranceSeconds: 300,
  hmacKeys: [],
  publicKeys: [],
  audiences: [AUDIENCE],
  issuers: [],
  tokenTypes: [],
  maxTokenSeconds: 3_600,
  jwksUri,
  bodyUnbound: "reject",
  ingressTokens: [],
});

async function startEndpoint(...keys: TestKey[]): Promise<JwksServer> {
  const endpoint = await startJwksServer(...keys.map(({ jwk }) => jwk));
  onTestFinished(() => endpoint.stop());
  return endpoint;
}

/** The cache of a gateway, with a clock that moves only when the test moves it. */
async function openCache({
  load,
  ...changes
}: Partial<JwksCacheDependencies> & { load?: () => Promise<StoredKeySet[]> } = {}) {
  const clock = { nowMs: NOW_MS };
  const failures: string[] = [];
  const write = (line: string) => void failures.push(line);
  const cache = new JwksCache({
    fetchKeySet: (uri) => fetchKeySet(uri, guardOf()),
    save: async () => {},
    now: () => clock.nowMs,
    log: openLog("gateway", "warn", { write }),
    ...changes,
  });
  if (load !== undefined) cache.adopt(await load());
  // Events are judged at a fixed time, so that they are fresh whatever the clock of the cache says.
  const judgeAt = async (endpoint: JwksServer, webhook: ReceivedWebhook) => {
    const source = sourceAt(endpoint.url);
    const headers = judgeHeaders(webhook, source, NOW_MS);
    return inAWord(
      headers.kind === "refused"
        ? headers
        : await judgeRequest(headers, webhook.body, source, {
            keySets: cache,
            sources: { findNewer: async () => undefined },
          }),
    );
  };
  return { cache, clock, failures, judgeAt };
}

describe("a set", () => {
  test("is fetched once for any number of events of both schemes", async () => {
    const endpoint = await startEndpoint(ed25519, rsa);
    const { judgeAt } = await openCache();
    const events = [signedBy(ed25519), await withToken(rsa), await withToken(ed25519)];
    const words = await Promise.all(
      Array.from({ length: 300 }, (_, i) => judgeAt(endpoint, events[i % 3] ?? webhookOf())),
    );
    expect(words.filter((word) => word === "v1a")).toHaveLength(100);
    expect(words.filter((word) => word === "jwt")).toHaveLength(200);
    expect(endpoint.fetches).toBe(1);
  });

  test("belongs to its endpoint only", async () => {
    const [one, two] = [await startEndpoint(ed25519), await startEndpoint(rotated)];
    const { judgeAt } = await openCache();
    expect(await judgeAt(one, signedBy(ed25519))).toBe("v1a");
    expect(await judgeAt(two, signedBy(rotated))).toBe("v1a");
    expect(await judgeAt(two, signedBy(ed25519))).toBe("signature_mismatch");
    expect(await judgeAt(one, signedBy(rotated))).toBe("signature_mismatch");
  });

  test("keeps its usable keys, whatever else is published with them", async () => {
    const endpoint = await startEndpoint();
    endpoint.publish(
      {},
      { kty: "oct", k: "AAAA" },
      { kty: "OKP", crv: "Ed25519", x: "AAAA" },
      { kty: "RSA", n: 5, e: [] },
      ed25519.jwk,
    );
    const { judgeAt } = await openCache();
    expect(await judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
  });

  test.for([
    [undefined, HOUR_MS],
    ["max-age=120", 2 * MINUTE_MS],
    ["max-age=0", MINUTE_MS],
    ["max-age=999999999", 6 * HOUR_MS],
  ] as const)(
    "published with Cache-Control %s is fetched again after %i ms, behind the requests",
    async ([header, ageMs]) => {
      const endpoint = await startEndpoint();
      endpoint.answer({ keys: [ed25519.jwk] }, 200, header === undefined ? {} : { "cache-control": header });
      const { judgeAt, clock } = await openCache();
      expect(await judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
      clock.nowMs += ageMs - 1;
      expect(await judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
      expect(endpoint.fetches).toBe(1);
      clock.nowMs += 1;
      endpoint.answerWith(() => {});
      // The endpoint never answers, and the event does not wait for it.
      expect(await judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
      await until(() => endpoint.fetches, { accept: (count) => count === 2 });
    },
  );

  test("that comes back without a key no longer verifies with this key", async () => {
    const endpoint = await startEndpoint(ed25519, rotated);
    const { judgeAt, clock } = await openCache();
    expect(await judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
    endpoint.publish(rotated.jwk);
    clock.nowMs += HOUR_MS;
    await until(() => judgeAt(endpoint, signedBy(ed25519)), { accept: (word) => word === "signature_mismatch" });
    expect(await judgeAt(endpoint, signedBy(rotated))).toBe("v1a");
  });
});

/** Everything that an endpoint can do wrong. An endpoint that hangs costs a test five seconds. */
const faults: [string, (endpoint: JwksServer, elsewhere: JwksServer) => void | Promise<void>][] = [
  ["is dead", (endpoint) => endpoint.stop()],
  ["resets", (endpoint) => endpoint.answerWith((response) => response.destroy())],
  ["answers garbage", (endpoint) => endpoint.answer("\u0000<html>")],
  ["answers {}", (endpoint) => endpoint.answer({})],
  ["answers null", (endpoint) => endpoint.answer(null)],
  ["answers a list", (endpoint) => endpoint.answer([stranger.jwk])],
  ["publishes no key", (endpoint) => endpoint.publish()],
  ["publishes keys that are text", (endpoint) => endpoint.answer({ keys: "none" })],
  ["publishes keys that are numbers", (endpoint) => endpoint.answer({ keys: [1, null] })],
  [
    "publishes only keys of no use",
    (endpoint) => endpoint.publish({ ...stranger.jwk, use: "enc" }, { kty: "oct", k: "AAAA" }),
  ],
  ["answers 404", (endpoint) => endpoint.answer({ keys: [stranger.jwk] }, 404)],
  ["answers 500", (endpoint) => endpoint.answer({ keys: [stranger.jwk] }, 500)],
  ["redirects", (endpoint, elsewhere) => endpoint.answer("", 302, { location: elsewhere.url })],
  [
    "sends 100 MB",
    (endpoint) =>
      endpoint.answerWith((response) => {
        const chunk = Buffer.alloc(1024 * 1024, " ");
        let left = 100;
        const pour = () => {
          while (left-- > 0 && !response.destroyed) if (!response.write(chunk)) return;
        };
        response.on("drain", pour);
        pour();
      }),
  ],
  ["hangs", (endpoint) => endpoint.answerWith(() => {})],
];

describe.for(faults)("while the endpoint %s", ([, breakEndpoint]) => {
  test("known keys verify without a wait, others are refused, fetches are few, and new keys arrive after it", async () => {
    const [endpoint, elsewhere] = [await startEndpoint(ed25519, rsa), await startEndpoint(stranger)];
    const { judgeAt, clock, failures } = await openCache();
    expect(await judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
    await breakEndpoint(endpoint, elsewhere);
    clock.nowMs += 2 * HOUR_MS;
    // All together, so that every event arrives before the first fetch has failed.
    const token = await withToken(rsa);
    const known = await Promise.all(
      Array.from({ length: 50 }, (_, i) => judgeAt(endpoint, i % 2 === 0 ? signedBy(ed25519) : token)),
    );
    expect(new Set(known)).toEqual(new Set(["v1a", "jwt"]));
    const unknown = await Promise.all(Array.from({ length: 50 }, () => judgeAt(endpoint, signedBy(stranger))));
    expect(new Set(unknown)).toEqual(new Set(["signature_mismatch"]));
    await until(() => failures.length, { what: "the failure of a fetch" });
    expect(await judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
    expect(endpoint.fetches).toBeLessThanOrEqual(2);
    expect(failures).toHaveLength(1);
    expect(elsewhere.fetches).toBe(0);

    await endpoint.start().catch(() => "it was never stopped");
    endpoint.publish(ed25519.jwk, rotated.jwk);
    clock.nowMs += 5_000;
    expect(await judgeAt(endpoint, signedBy(rotated))).toBe("v1a");
    expect(await judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
  });

  test("and there never was a set, events are undecidable until it recovers, without a restart", async () => {
    const [endpoint, elsewhere] = [await startEndpoint(), await startEndpoint(stranger)];
    await breakEndpoint(endpoint, elsewhere);
    const { judgeAt, clock, failures } = await openCache();
    const words = await Promise.all(
      Array.from({ length: 50 }, (_, i) => judgeAt(endpoint, signedBy(i % 2 === 0 ? ed25519 : stranger))),
    );
    expect(new Set(words)).toEqual(new Set(["undecidable"]));
    expect(await judgeAt(endpoint, await withToken(rsa))).toBe("undecidable");
    expect(failures).toHaveLength(1);
    expect(elsewhere.fetches).toBe(0);

    await endpoint.start().catch(() => "it was never stopped");
    endpoint.publish(ed25519.jwk, rsa.jwk);
    clock.nowMs += 5_000;
    expect(await judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
    expect(await judgeAt(endpoint, await withToken(rsa))).toBe("jwt");
  });
});

describe("fetches", () => {
  test("that forged signatures cause are two a minute, whatever the number of signatures", async () => {
    const endpoint = await startEndpoint(ed25519);
    const { judgeAt, clock } = await openCache();
    for (let second = 0; second < 600; second++) {
      const words = await Promise.all(Array.from({ length: 3 }, () => judgeAt(endpoint, signedBy(stranger))));
      expect(words).toEqual(["signature_mismatch", "signature_mismatch", "signature_mismatch"]);
      clock.nowMs += 1_000;
    }
    expect(endpoint.fetches).toBeGreaterThanOrEqual(20);
    expect(endpoint.fetches).toBeLessThanOrEqual(21);
  });

  test("that fail are repeated at most every five seconds, with a set and without", async () => {
    const [withSet, without] = [await startEndpoint(ed25519), await startEndpoint()];
    const { judgeAt, clock } = await openCache();
    await judgeAt(withSet, signedBy(ed25519));
    for (const endpoint of [withSet, without]) endpoint.answer("", 500);
    const before = withSet.fetches;
    clock.nowMs += HOUR_MS;
    for (let second = 0; second < 100; second++) {
      expect(await judgeAt(withSet, signedBy(stranger))).toBe("signature_mismatch");
      expect(await judgeAt(without, signedBy(stranger))).toBe("undecidable");
      clock.nowMs += 1_000;
    }
    for (const count of [withSet.fetches - before, without.fetches]) {
      expect(count).toBeGreaterThanOrEqual(19);
      expect(count).toBeLessThanOrEqual(21);
    }
  });

  test("are not caused by tokens that no key could verify", async () => {
    const endpoint = await startEndpoint(ed25519, rsa);
    const { judgeAt, clock } = await openCache();
    await judgeAt(endpoint, signedBy(ed25519));
    for (const webhook of [
      webhookOf({ signature: "v1a,AAAA" }),
      webhookOf({ signature: await tokenOf(rsa, { aud: "another" }) }),
      webhookOf({ signature: await tokenOf(rsa, { exp: 1 }) }),
      { ...(await withToken(rsa)), body: Buffer.from("another") },
      { ...signedBy(stranger), timestamp: "1" },
    ]) {
      clock.nowMs += MINUTE_MS;
      expect(await judgeAt(endpoint, webhook)).not.toBe("jwt");
    }
    expect(endpoint.fetches).toBe(1);
  });
});

describe("a rotation under load", () => {
  test("refuses nothing: the old key still verifies, the new one from its first event, with one fetch for all", async () => {
    for (let round = 0; round < 10; round++) {
      const [old, next] = [newEd25519Key("old"), newEd25519Key("next")];
      const endpoint = await startEndpoint(old);
      const { judgeAt, clock } = await openCache();
      expect(await judgeAt(endpoint, signedBy(old))).toBe("v1a");
      clock.nowMs += MINUTE_MS;
      let signer = old;
      const counts = { old: 0, next: 0 };
      const sendOne = async () => {
        const isNext = signer === next;
        counts[isNext ? "next" : "old"] += 1;
        // Both schemes, because their verifications take different times.
        const webhook = Math.random() < 0.5 ? signedBy(signer) : await withToken(signer);
        expect(await judgeAt(endpoint, webhook)).toMatch(/^(v1a|jwt)$/);
      };
      const switchAt = 50 + Math.floor(Math.random() * 200);
      const senders = Array.from({ length: 20 }, async () => {
        while (counts.old + counts.next < 500) {
          if (signer === old && counts.old >= switchAt) {
            endpoint.publish(old.jwk, next.jwk);
            signer = next;
          }
          await sendOne();
        }
      });
      await Promise.all(senders);
      expect(counts.next).toBeGreaterThan(0);
      expect(await judgeAt(endpoint, signedBy(old))).toBe("v1a");
      expect(endpoint.fetches).toBe(2);
    }
  });

  test("within thirty seconds after a fetch is noticed after these thirty seconds", async () => {
    const endpoint = await startEndpoint(ed25519);
    const { judgeAt, clock } = await openCache();
    expect(await judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
    endpoint.publish(ed25519.jwk, rotated.jwk);
    clock.nowMs += 29_999;
    expect(await judgeAt(endpoint, signedBy(rotated))).toBe("signature_mismatch");
    clock.nowMs += 1;
    expect(await judgeAt(endpoint, signedBy(rotated))).toBe("v1a");
    expect(endpoint.fetches).toBe(2);
  });

  test("an event uses a set that arrived while the event was judged", async () => {
    const endpoint = await startEndpoint(ed25519);
    const { cache, clock, judgeAt } = await openCache();
    expect(await judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
    const judgedBy = await cache.get(endpoint.url);
    clock.nowMs += MINUTE_MS;
    endpoint.publish(ed25519.jwk, rotated.jwk);
    // Another event causes a fetch, which begins the cooldown.
    expect(await judgeAt(endpoint, signedBy(rotated))).toBe("v1a");
    expect(await cache.refetch(endpoint.url, judgedBy)).toBe(await cache.get(endpoint.url));
    expect(await cache.refetch(endpoint.url, await cache.get(endpoint.url))).toBeUndefined();
    expect(endpoint.fetches).toBe(2);
  });
});

describe("a restart", () => {
  test("uses the last good set while the endpoint is down, and the new set when it is back", async () => {
    const { db, drop } = await createTestDatabase();
    onTestFinished(drop);
    const store = {
      load: () => loadKeySets(db),
      save: (keySet: Parameters<typeof saveKeySet>[1]) => saveKeySet(db, keySet),
    };
    const endpoint = await startEndpoint(ed25519, rsa);
    const first = await openCache(store);
    expect(await first.judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
    await until(store.load, { accept: (rows) => rows.length === 1 });
    // A document that is not a set never replaces the stored set.
    endpoint.answer({ keys: [] });
    first.clock.nowMs += HOUR_MS;
    expect(await first.judgeAt(endpoint, signedBy(stranger))).toBe("signature_mismatch");
    await endpoint.stop();

    const second = await openCache(store);
    expect(await second.judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
    expect(await second.judgeAt(endpoint, await withToken(rsa))).toBe("jwt");
    expect(await second.judgeAt(endpoint, signedBy(stranger))).toBe("signature_mismatch");

    await endpoint.start();
    endpoint.publish(rotated.jwk);
    second.clock.nowMs += 5_000;
    expect(await second.judgeAt(endpoint, signedBy(rotated))).toBe("v1a");
    expect(await second.judgeAt(endpoint, signedBy(ed25519))).toBe("signature_mismatch");
  });

  test("keeps the newer of the sets that two gateways stored", async () => {
    const { db, drop } = await createTestDatabase();
    onTestFinished(drop);
    const at = (ms: number, document: unknown) => saveKeySet(db, { uri: "u", document, fetchedAt: new Date(ms) });
    await at(2, { keys: [2] });
    await at(1, { keys: [1] });
    expect(await loadKeySets(db)).toMatchObject([{ uri: "u", document: { keys: [2] } }]);
    await at(3, { keys: [3] });
    expect(await loadKeySets(db)).toMatchObject([{ document: { keys: [3] }, fetchedAt: new Date(3) }]);
  });

  test("a store that is away does not affect the running gateway", async () => {
    const endpoint = await startEndpoint(ed25519);
    const { judgeAt, failures } = await openCache({ save: () => Promise.reject(new Error("away")) });
    expect(await judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
    await until(() => failures.length);
    expect(failures[0]).toContain("key set not stored");
  });

  test("a store that hangs delays no event", async () => {
    const endpoint = await startEndpoint(ed25519);
    const { judgeAt } = await openCache({ save: () => new Promise<never>(() => {}) });
    expect(await judgeAt(endpoint, signedBy(ed25519))).toBe("v1a");
    expect(await judgeAt(endpoint, signedBy(stranger))).toBe("signature_mismatch");
  });
});
