// Redis over TLS, with a CA of the operator's own.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { describe, expect, inject, onTestFinished, test } from "vitest";

import { openRedisClient } from "@sluice/queue/redis-client";

import { hasOpenssl, makeCertificates } from "./support/certificates.ts";
import { claimPort } from "./support/ports.ts";
import { openProcessGroup } from "./support/process-group.ts";
import { startRedisCluster } from "./support/redis-cluster.ts";
import { findRedisServer } from "./support/redis-server.ts";
import { readAddress } from "./support/redis.ts";
import { openRelayOnRedis } from "./support/relay-on-redis.ts";
import { startRedis } from "./support/stores.ts";
import { until } from "./support/wait.ts";

const canRun = inject("queue") === "redis" && findRedisServer() !== undefined && hasOpenssl();

function openDirectory() {
  const group = openProcessGroup();
  const certificates = makeCertificates(group.directory);
  const tls = {
    "tls-cert-file": certificates.certificate,
    "tls-key-file": certificates.key,
    "tls-ca-cert-file": certificates.ca,
    "tls-auth-clients": "no",
  };
  return { group, certificates, tls };
}

const openRelay = (url: string, ca: string | undefined) =>
  openRelayOnRedis(url, { settings: ca === undefined ? {} : { REDIS_CA_FILE: ca } });

describe.runIf(canRun)("Redis over TLS", () => {
  test("is used when REDIS_CA_FILE has the CA of its certificate, and never without it", async () => {
    const { group, certificates, tls } = openDirectory();
    const port = String(await claimPort());
    const redis = await startRedis(join(group.directory, "redis"), group, { ...tls, "tls-port": port });
    onTestFinished(async () => {
      await redis.end("SIGKILL");
      group.remove();
    });
    const url = `rediss://127.0.0.1:${port}`;
    const { relay, receiver } = await openRelay(url, certificates.ca);
    await relay.sendUntilRedisTakes();
    await receiver.waitFor(1);

    const { relay: distrusting } = await openRelay(url, undefined);
    await until(() => distrusting.logLines.some((line) => line.includes("self-signed certificate")));
    await distrusting.sendEvent();
    expect(await distrusting.countIntakeJobs()).toEqual({ redis: 0, postgres: 1 });
  });

  test("with a certificate that is not trusted ends no process, whenever its connections are closed", async () => {
    const { group, tls } = openDirectory();
    const port = await claimPort();
    const redis = await startRedis(join(group.directory, "redis"), group, { ...tls, "tls-port": String(port) });
    onTestFinished(async () => {
      await redis.end("SIGKILL");
      group.remove();
    });
    const address = readAddress(`rediss://127.0.0.1:${port}`);
    let errors = 0;
    // An error that nobody handles fails this file.
    for (let count = 0; count < 200; count++) {
      const client = openRedisClient({ address }, {});
      client.on("error", () => (errors += 1));
      await delay(count % 12);
      client.disconnect();
    }
    expect(errors).toBeGreaterThan(0);
  });

  test("works on every node of a cluster", async () => {
    const { group, certificates, tls } = openDirectory();
    const directory = join(group.directory, "cluster");
    mkdirSync(directory);
    const cluster = await startRedisCluster(directory, group, { replicasPerMaster: 0, tls });
    onTestFinished(async () => {
      await cluster.stop();
      group.remove();
    });
    expect(cluster.url).toMatch(/^rediss\+cluster:/);
    const { relay, receiver } = await openRelay(cluster.url, certificates.ca);
    await relay.sendUntilRedisTakes();
    await receiver.waitFor(1);
  });
});
