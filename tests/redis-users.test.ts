// The Redis of the compose file, with the users that scripts/make-secrets.ts writes.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { Redis } from "ioredis";
import { describe, expect, inject, onTestFinished, test } from "vitest";

import { makeSecrets } from "../scripts/make-secrets.ts";
import { openProcessGroup } from "./support/process-group.ts";
import { findRedisServer } from "./support/redis-server.ts";
import { openRelayOnRedis } from "./support/relay-on-redis.ts";
import { startRedis } from "./support/stores.ts";

const canRun = inject("queue") === "redis" && findRedisServer() !== undefined;

function connect(url: string): Redis {
  const client = new Redis(url, { maxRetriesPerRequest: 1, retryStrategy: () => null });
  client.on("error", () => undefined);
  onTestFinished(() => client.disconnect());
  return client;
}

async function openComposeRedis() {
  const group = openProcessGroup();
  const volumes = { dataDir: join(group.directory, "data"), readersDir: join(group.directory, "readers") };
  mkdirSync(volumes.dataDir);
  makeSecrets(volumes, {});
  const readVolume = (...path: string[]) => readFileSync(join(volumes.readersDir, ...path), "utf8").trim();
  const redis = await startRedis(join(group.directory, "redis"), group, {
    include: join(volumes.readersDir, "redis", "redis.conf"),
  });
  onTestFinished(async () => {
    await redis.end("SIGKILL");
    group.remove();
  });
  const { port } = new URL(redis.url);
  const appUrl = new URL(readVolume("worker", "redis-url"));
  [appUrl.hostname, appUrl.port] = ["127.0.0.1", port];
  return { port, readVolume, appUrl: appUrl.href };
}

describe.runIf(canRun)("the users of Redis in the compose file", () => {
  test("let a relay do its work and nothing else, and strangers nothing at all", async () => {
    const { port, readVolume, appUrl } = await openComposeRedis();
    const { relay, receiver } = await openRelayOnRedis(appUrl);
    await relay.sendUntilRedisTakes();
    await receiver.waitFor(1);
    expect((await relay.readiness()).body).toMatchObject({ status: "ready", checks: { redis: { ok: true } } });
    expect(relay.logLines.filter((line) => line.includes("NOPERM"))).toEqual([]);

    const app = connect(appUrl);
    for (const command of [
      ["FLUSHALL"],
      ["CONFIG", "SET", "appendonly", "no"],
      ["ACL", "LIST"],
      ["SHUTDOWN"],
      ["GET", "x"],
    ]) {
      await expect(app.call(...(command as [string])), command.join(" ")).rejects.toThrow("NOPERM");
    }
    const stranger = connect(`redis://127.0.0.1:${port}`);
    await expect(stranger.ping()).rejects.toThrow("NOAUTH");
    const people = connect(`redis://default:${readVolume("redis", "redis-password")}@127.0.0.1:${port}`);
    expect(await people.call("ACL", "WHOAMI")).toBe("default");
    expect(await people.config("SET", "maxmemory-policy", "noeviction")).toBe("OK");
  });

  test("have the rights that docs/redis.md gives a relay, and the keys of an older version", async () => {
    const { readVolume } = await openComposeRedis();
    const guide = readFileSync(new URL("../docs/redis.md", import.meta.url), "utf8");
    const [, name, keys, rights] = /^ACL SETUSER (\S+) on >password (\S+) (.*)$/m.exec(guide) ?? [];
    const [, user, , rules] = /^user (sluice) on (#\S+) (.*)$/m.exec(readVolume("redis", "redis.conf")) ?? [];
    expect([user, rules]).toEqual([name, `${keys} ~sluice:* ${rights}`]);
  });
});
