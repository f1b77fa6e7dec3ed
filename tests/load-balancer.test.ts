// The files of deploy/ as HAProxy and nginx run them, in front of two gateways.

import { createServer } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { describe, expect, onTestFinished } from "vitest";

import { httpGet } from "../scripts/relay/http-get.ts";
import { listenOnLoopback } from "./support/listen.ts";
import { type BalancerKind, missingFor, startLoadBalancer } from "./support/load-balancer.ts";
import { type Member, startMember } from "./support/member.ts";
import { claimPort } from "./support/ports.ts";
import { type Relay, relayTest } from "./support/relay.ts";
import { geminiEvent, signWebhook } from "./support/sign.ts";
import { until } from "./support/wait.ts";

const MASTER_KEY = Buffer.alloc(32, "balancer").toString("base64");
const test = relayTest({ settings: { MASTER_KEY } });

/** More than the requests that are under way at the same time. */
const SOME_ANSWERS = 40;
const SENDERS = 8;
const STOP_LIMIT_MS = 20_000;

/** One more gateway of the relay, as a process that can be killed. */
async function startGatewayProcess(relay: Relay): Promise<{ port: number; apiPort: number; member: Member }> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-balanced-"));
  const [port, apiPort] = [await claimPort(), await claimPort()];
  const env = {
    PATH: process.env["PATH"],
    HOST: "127.0.0.1",
    PORT: String(port),
    API_PORT: String(apiPort),
    DATABASE_URL: relay.database.url,
    ...(relay.redisUrl !== undefined && { REDIS_URL: relay.redisUrl }),
    MASTER_KEY,
    ADMIN_API_KEY: relay.apiKey,
    GEMINI_SIGNING_SECRET: relay.secret,
    DATA_DIR: directory,
  };
  const entry = fileURLToPath(new URL("../apps/gateway/src/main.ts", import.meta.url));
  const readyUrl = `http://127.0.0.1:${apiPort}/readyz`;
  const app = { name: "gateway", entry, readyUrl, env, stopLimitMs: STOP_LIMIT_MS };
  const member = startMember(app, join(directory, "log"));
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= member.stop());
  onTestFinished(async () => {
    await stop();
    rmSync(directory, { recursive: true, force: true });
  });
  return { port, apiPort, member: { ...member, stop } };
}

/** A server in place of a gateway, which answers /readyz as it is told. */
async function startStandIn(readiness: number): Promise<{ port: number; apiPort: number; count: () => number }> {
  let posts = 0;
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      if (request.method === "POST") posts += 1;
      response.writeHead(request.url === "/readyz" ? readiness : 200).end("{}");
    });
  });
  const port = await listenOnLoopback(server);
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port, apiPort: port, count: () => posts };
}

async function openBalancer(kind: BalancerKind, gateways: Parameters<typeof startLoadBalancer>[1]) {
  const balancer = await startLoadBalancer(kind, gateways);
  onTestFinished(balancer.stop);
  return balancer;
}

describe.for(["haproxy", "nginx"] as const)("%s", (kind) => {
  const missing = missingFor(kind);

  test("loses no event when a gateway dies with requests in hand, and brings it back", async ({
    relay,
    receiver,
    skip,
  }) => {
    skip(missing !== undefined, `there is no ${missing} on this machine`);
    await relay.createTarget(receiver);
    const first = await startGatewayProcess(relay);
    const second = await startGatewayProcess(relay);
    await Promise.all([first, second].map(({ member }) => member.waitUntilReady()));
    const balancer = await openBalancer(kind, [first, second]);
    const answers: { webhookId: string; status: number }[] = [];
    /** The requests without an answer, each with the number of answers when it was sent. */
    const underWay = new Map<string, number>();
    const post = async () => {
      const { headers, body, webhookId } = signWebhook({ secret: relay.secret, body: geminiEvent() });
      underWay.set(webhookId, answers.length);
      const answer = balancer.request("/in/gemini", { method: "POST", headers, body });
      const { status } = await answer.catch(() => ({ status: 0 }));
      underWay.delete(webhookId);
      return { webhookId, status };
    };
    // HAProxy gives no gateway anything before its first check.
    await until(post, { accept: ({ status }) => status === 200 });

    const over = new AbortController();
    const send = async () => {
      while (!over.signal.aborted) answers.push(await post());
    };
    const sent = Promise.all(Array.from({ length: SENDERS }, send));
    const waitForMore = async () => {
      const before = answers.length;
      await until(() => answers.length >= before + SOME_ANSWERS);
    };
    await waitForMore();
    // The gateway dies with requests in hand: with those that many others have overtaken since it was stopped.
    const killed = first.member.pid();
    first.member.signal("SIGSTOP");
    await until(() => [...underWay.values()].some((before) => answers.length >= before + SOME_ANSWERS));
    first.member.signal("SIGKILL");
    await waitForMore();
    over.abort();
    await sent;
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);

    const wanted = answers.map(({ webhookId }) => webhookId);
    const arrived = () => new Set(receiver.requests.map(({ headers }) => String(headers["webhook-id"])));
    await until(() => wanted.filter((id) => !arrived().has(id)), { accept: (lacking) => lacking.length === 0 });

    // The gateway is started again, and gets events again when the other one is gone.
    await until(() => first.member.pid() !== undefined && first.member.pid() !== killed);
    await first.member.waitUntilReady();
    await second.member.stop();
    await until(post, { accept: ({ status }) => status === 200 });
  });

  test("passes nothing but the ingress, keeps paths out of its logs, and answers 503 without a gateway", async ({
    skip,
  }) => {
    skip(missing !== undefined, `there is no ${missing} on this machine`);
    const nobody = { port: await claimPort(), apiPort: await claimPort() };
    const balancer = await openBalancer(kind, [nobody, { ...nobody, port: await claimPort() }]);
    for (const path of ["/", "/readyz", "/healthz", "/v1/sources", "/metrics"]) {
      expect({ path, ...(await balancer.request(path)) }).toMatchObject({ path, status: 404 });
    }
    const request = { method: "POST", body: Buffer.from("{}") };
    const answer = await balancer.request("/in/gemini-dynamic/secret-token", request);
    expect(answer).toEqual({ status: 503, retryAfter: "5" });
    await until(() => balancer.readLogs(), { accept: (text) => text.includes(" 503 ") });
    expect(balancer.readLogs()).not.toContain("secret-token");
  });
});

test("HAProxy gives nothing to a gateway that is not ready", async ({ skip }) => {
  const missing = missingFor("haproxy");
  skip(missing !== undefined, `there is no ${missing} on this machine`);
  const [ready, unready] = [await startStandIn(200), await startStandIn(503)];
  const balancer = await openBalancer("haproxy", [ready, unready]);
  const post = () => balancer.request("/in/gemini", { method: "POST", body: Buffer.from("{}") });
  await until(() => balancer.readLogs(), { accept: (text) => text.includes("gateways/gateway-2 is DOWN") });
  const before = unready.count();
  for (let n = 0; n < 20; n++) expect((await post()).status).toBe(200);
  expect(unready.count()).toBe(before);
  expect(ready.count()).toBeGreaterThanOrEqual(20);
});

test("readiness is on the API port alone, and liveness on both", async ({ relay }) => {
  const paths = [
    [relay.ingressUrl, "/readyz", 404],
    [relay.ingressUrl, "/healthz", 200],
    [relay.apiUrl, "/readyz", 200],
    [relay.apiUrl, "/healthz", 200],
  ] as const;
  for (const [url, path, wanted] of paths) {
    const { status } = await httpGet(url + path, 10_000);
    expect({ path, status }).toEqual({ path, status: wanted });
  }
});
