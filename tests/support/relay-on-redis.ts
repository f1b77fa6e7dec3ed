// A relay on a Redis of the test's own: a cluster, a server under Sentinels, or one with TLS. All of it ends with the test.

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { onTestFinished } from "vitest";

import { createTestDatabase } from "./database.ts";
import { openProcessGroup, type ProcessGroup } from "./process-group.ts";
import { startReceiver } from "./receiver.ts";
import { type RelayOptions, startRelay } from "./relay.ts";

/** Starts servers in a directory of this name, and stops them when the test has finished. */
export async function openServers<Servers extends { stop: () => Promise<void> }>(
  name: string,
  start: (directory: string, group: ProcessGroup) => Promise<Servers>,
): Promise<Servers> {
  const group = openProcessGroup();
  const directory = join(group.directory, name);
  mkdirSync(directory);
  const servers = await start(directory, group);
  onTestFinished(async () => {
    await servers.stop();
    group.remove();
  });
  return servers;
}

/** Starts a relay with one target, and tells which webhook ids have arrived there. */
export async function openRelayOnRedis(redisUrl: string, options: RelayOptions = {}) {
  const database = await createTestDatabase();
  const relay = await startRelay(database, redisUrl, options);
  const receiver = await startReceiver();
  onTestFinished(async () => {
    await relay.stop();
    await receiver.stop();
    await database.drop();
  });
  await relay.createTarget(receiver);
  const received = () => new Set(receiver.requests.map(({ headers }) => String(headers["webhook-id"])));
  return { relay, receiver, received, database };
}
