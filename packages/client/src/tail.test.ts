// The tail of the client against the real tail: it goes on over lost connections, and ends when it should.

import { expect, onTestFinished, vi } from "vitest";

import { openHttpApi } from "../../../tests/support/api/http-api.ts";
import { seedEvent, storeKey, test, type TestApi } from "../../../tests/support/api/test-api.ts";
import { until } from "../../../tests/support/wait.ts";
import { createSluiceClient, type TailRequest } from "./client.ts";
import { followTail } from "./tail.ts";

async function open(api: TestApi) {
  const { url, cutConnections, stop } = await openHttpApi(api);
  onTestFinished(stop);
  const apiKey = await storeKey(api, ["read"]);
  let opened = 0;
  const fetch = async (request: Request) => {
    const response = await globalThis.fetch(request);
    if (response.ok) opened++;
    return response;
  };
  const sluice = createSluiceClient({ baseUrl: url, apiKey, fetch });
  /** Reads entries in the background. */
  const read = (request: TailRequest) => {
    const seen: { id: string; lastEventId: string | undefined }[] = [];
    const ended = (async () => {
      for await (const entry of sluice.tail({ query: { kind: ["event"] }, ...request })) {
        if (entry.event === "event") seen.push({ id: entry.data.webhook_id, lastEventId: entry.lastEventId });
      }
    })();
    return { seen, ended, isOpen: () => until(() => opened > 0) };
  };
  return { sluice, read, cutConnections };
}

test("an iteration goes on over lost connections, misses nothing, and ends by its signal", async ({ api }) => {
  const { read, cutConnections } = await open(api);
  const abort = new AbortController();
  const connections: string[] = [];
  const onConnection = (state: string) => void connections.push(state);
  const { seen, ended, isOpen } = read({ signal: abort.signal, onConnection });
  await isOpen();
  const sent: string[] = [];
  for (let cut = 0; cut < 3; cut++) {
    sent.push((await seedEvent(api)).webhookId);
    await until(() => seen.length >= sent.length);
    cutConnections();
    sent.push((await seedEvent(api)).webhookId);
  }
  await until(() => new Set(seen.map(({ id }) => id)).size === sent.length);
  expect(seen.map(({ id }) => id)).toEqual(sent);
  abort.abort();
  await ended;
  expect(connections).toEqual(["open", "lost", "open", "lost", "open", "lost", "open"]);
});

test("a later tail continues after the last entry of an earlier one", async ({ api }) => {
  const { sluice, read } = await open(api);
  const abort = new AbortController();
  const { seen, ended, isOpen } = read({ signal: abort.signal });
  await isOpen();
  await seedEvent(api);
  await until(() => seen.length === 1);
  abort.abort();
  await ended;
  const { webhookId } = await seedEvent(api);
  for await (const entry of sluice.tail({ query: { kind: ["event"] }, lastEventId: seen[0]?.lastEventId })) {
    expect(entry).toMatchObject({ event: "event", data: { webhook_id: webhookId } });
    break;
  }
});

test("a tail that the relay refuses says why, at the start and later", async ({ api }) => {
  const { sluice, read, cutConnections } = await open(api);
  const first = async (request: TailRequest) => {
    for await (const entry of sluice.tail(request)) return entry;
    return undefined;
  };
  await expect(first({ lastEventId: "nonsense" })).rejects.toMatchObject({ code: "invalid_cursor" });
  const nobody = createSluiceClient({ baseUrl: "http://127.0.0.1:9", apiKey: "key" });
  await expect(nobody.tail().next()).rejects.toMatchObject({ name: "NoAnswerError" });

  const { ended, isOpen } = read({});
  await isOpen();
  await api.db.pool.query("UPDATE api_keys SET revoked_at = now()");
  cutConnections();
  await expect(ended).rejects.toMatchObject({ code: "unauthenticated" });
});

test("a connection without heartbeats is given up, and the next one continues after its last id", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const connections: (string | undefined)[] = [];
  const abort = new AbortController();
  const connect = async (lastEventId: string | undefined, signal: AbortSignal) => {
    connections.push(lastEventId);
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode("id: 17\n\n"));
        signal.addEventListener("abort", () => controller.error(signal.reason));
      },
    });
  };
  const next = followTail({ connect, signal: abort.signal }).next();
  await vi.advanceTimersByTimeAsync(44_000);
  expect(connections).toEqual([undefined]);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(connections).toEqual([undefined, "17"]);
  abort.abort();
  expect(await next).toEqual({ done: true, value: undefined });
});
