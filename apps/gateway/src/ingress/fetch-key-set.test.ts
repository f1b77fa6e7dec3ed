// Tests the limits of a fetch against hostile endpoints, over real HTTP.

import type { ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { gzipSync } from "node:zlib";

import { expect, onTestFinished, test } from "vitest";

import { guardOf } from "../../../../tests/support/guard.ts";
import { startJwksServer } from "../../../../tests/support/jwks-server.ts";
import { fetchKeySet } from "./fetch-key-set.ts";

const MIB = 1024 * 1024;

/** The endpoints of these tests are on loopback. */
const fetchOpen = (uri: string) => fetchKeySet(uri, guardOf());

async function startEndpoint() {
  const endpoint = await startJwksServer({ kty: "OKP" });
  onTestFinished(() => endpoint.stop());
  return endpoint;
}

/** Writes as fast as the other end reads, up to a limit. @returns the number of bytes that were written. */
async function pour(response: ServerResponse, bytes: number): Promise<number> {
  const chunk = Buffer.alloc(64 * 1024, " ");
  let poured = 0;
  const chunks = function* () {
    for (; poured < bytes; poured += chunk.length) yield chunk;
  };
  await pipeline(chunks, response).catch(() => "the reader left");
  return poured;
}

test("the document arrives as it was sent, with the age from Cache-Control", async () => {
  const endpoint = await startEndpoint();
  expect(await fetchOpen(endpoint.url)).toEqual({ document: { keys: [{ kty: "OKP" }] }, maxAgeMs: undefined });
  for (const [header, maxAgeMs] of [
    ["max-age=60", 60_000],
    ["public, max-age=19800, must-revalidate, no-transform", 19_800_000],
    ["max-age=0", 0],
    ["s-maxage=60", undefined],
    ["max-age=-5", undefined],
    ["max-age=abc", undefined],
    ["no-store", undefined],
  ] as const) {
    endpoint.answer({ keys: [] }, 200, { "cache-control": header });
    expect(await fetchOpen(endpoint.url), header).toEqual({ document: { keys: [] }, maxAgeMs });
  }
});

test.for([
  ["garbage", "<html>", 200],
  ["nothing", "", 200],
  ["half a document", '{"keys":[', 200],
  ["a document and more", '{"keys":[]}{"keys":[]}', 200],
  ["404", { keys: [] }, 404],
  ["500", { keys: [] }, 500],
  ["204", "", 204],
  ["206", { keys: [] }, 206],
] as const)("%s is an error", async ([, document, status]) => {
  const endpoint = await startEndpoint();
  endpoint.answer(document, status);
  await expect(fetchOpen(endpoint.url)).rejects.toThrow();
});

test("an endpoint that does not listen is an error", async () => {
  const endpoint = await startEndpoint();
  await endpoint.stop();
  await expect(fetchOpen(endpoint.url)).rejects.toThrow();
});

test("an endpoint that switches the protocol is an error, and nothing waits for it", async () => {
  const endpoint = await startEndpoint();
  endpoint.answerWith((response) => {
    response.socket?.end("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: a\r\n\r\n");
  });
  await expect(fetchOpen(endpoint.url)).rejects.toThrow("without an answer");
});

test("a set that arrives compressed is read, and one in another coding is an error", async () => {
  const endpoint = await startEndpoint();
  const set = JSON.stringify({ keys: [] });
  endpoint.answerWith((response) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(set)));
  expect((await fetchOpen(endpoint.url)).document).toEqual({ keys: [] });
  endpoint.answerWith((response) => response.writeHead(200, { "content-encoding": "br" }).end(set));
  await expect(fetchOpen(endpoint.url)).rejects.toThrow("content-encoding");
});

test("a redirect is not followed", async () => {
  const [endpoint, elsewhere] = [await startEndpoint(), await startEndpoint()];
  for (const status of [301, 302, 303, 307, 308]) {
    endpoint.answer("", status, { location: elsewhere.url });
    await expect(fetchOpen(endpoint.url)).rejects.toThrow();
  }
  expect(endpoint.fetches).toBe(5);
  expect(elsewhere.fetches).toBe(0);
});

test.for([
  ["announced", { "content-length": String(100 * MIB) }],
  ["chunked", {}],
] as const)("of a document with 100 MB, %s, only a little is read", async ([, headers]) => {
  const endpoint = await startEndpoint();
  const poured = new Promise<number>((resolve) => {
    endpoint.answerWith((response) => {
      response.writeHead(200, headers);
      void pour(response, 100 * MIB).then(resolve);
    });
  });
  await expect(fetchOpen(endpoint.url)).rejects.toThrow("above 262144 bytes");
  // The buffers of both ends take at most this much.
  expect(await poured).toBeLessThan(16 * MIB);
});

test("a document of 100 MB that travels as 100 KB is too large all the same", async () => {
  const endpoint = await startEndpoint();
  const bomb = gzipSync(Buffer.alloc(100 * MIB, " "));
  endpoint.answerWith((response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb));
  const before = process.memoryUsage().rss;
  await expect(fetchOpen(endpoint.url)).rejects.toThrow("above 262144 bytes");
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * MIB);
});

const padded = (length: number) => `{"keys":[]}`.padEnd(length);

test("a set at the limit is read, and one byte more is not", async () => {
  const endpoint = await startEndpoint();
  endpoint.answer(padded(256 * 1024));
  expect((await fetchOpen(endpoint.url)).document).toEqual({ keys: [] });
  endpoint.answer(padded(256 * 1024 + 1));
  await expect(fetchOpen(endpoint.url)).rejects.toThrow("above");
});

test("a fetch from an endpoint that hangs or sends too slowly ends after five seconds", async () => {
  const [silent, stuck, trickling] = [await startEndpoint(), await startEndpoint(), await startEndpoint()];
  silent.answerWith(() => {});
  stuck.answerWith((response) => void response.writeHead(200).write('{"keys":['));
  trickling.answerWith((response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(" "), 50);
    response.on("close", () => clearInterval(timer));
  });
  const startedAt = performance.now();
  const fetches = [silent, stuck, trickling].map((endpoint) => fetchOpen(endpoint.url));
  const settled = await Promise.allSettled(fetches);
  expect(settled.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  const tookMs = performance.now() - startedAt;
  expect(tookMs).toBeGreaterThan(4_900);
  expect(tookMs).toBeLessThan(30_000);
});
