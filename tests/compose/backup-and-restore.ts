// A stack that is lost comes back from its backup, by the commands of docs/runbooks/backup.md and restore.md.

import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";

import { until } from "../support/wait.ts";
import type { Clone } from "./clone.ts";
import { addTarget, callApi, readReadiness, receiveOnHost, untilReceived } from "./relay.ts";
import type { Scenario } from "./scenario.ts";
import { startTraffic } from "./traffic.ts";

export const backupAndRestore: Scenario = {
  name: "backup-and-restore",
  about: "a running stack with pending deliveries is backed up, lost, and restored into an empty one",
  run: async ({ clone, saw, atEnd }) => {
    const old = await clone();
    await old.mustCompose("up", "-d", "--build", "--wait");
    const [running, waiting] = [await receiveOnHost(), await receiveOnHost()];
    for (const { stop } of [running, waiting]) atEnd(stop);
    await addTarget(old, running.url());
    const paused = await addTarget(old, waiting.url(), "paused");
    const { body: made } = await callApi(old, "POST", "/v1/keys", { name: "of an operator", scopes: ["read"] });
    const before = await sendEvents(old, old.secret, 50);
    await untilReceived(running, before);
    await until(() => countEvents(old), { accept: (count) => count === before.length });
    // What comes now waits in Redis.
    await old.mustCompose("stop", "worker");
    const queued = await sendEvents(old, old.secret, 30);
    saw(`${before.length} events were delivered, all wait for a paused target too; ${queued.length} wait in Redis`);

    const backup = await old.follow("runbooks/backup", "backup in compose");
    assert.match(backup.output, /Backed up \d+ tables and [1-9]\d* batches of events from Redis/);
    assert.match(backup.output, /The backup is whole: .* with the master key/);
    saw(backup.output.trim().split("\n").join("; "));
    await old.mustCompose("down", "--volumes");

    const fresh = await clone({ env: { GEMINI_SIGNING_SECRET: old.secret } });
    copyFileSync(join(old.directory, "relay.sluice"), join(fresh.directory, "relay.sluice"));
    const restored = await fresh.follow("runbooks/restore", "restore in compose");
    const summary = /Restored .* queued events/.exec(restored.output)?.[0];
    assert.match(summary ?? restored.output, /and [1-9]\d* batches/);
    assert.equal((await readReadiness(fresh)).body.status, "ready");
    saw(`${summary}; /readyz: ready`);

    await untilReceived(running, queued);
    assert.deepEqual(
      before.filter((id) => running.received.get(id) !== 1),
      [],
    );
    saw("what waited in Redis was delivered, and what was delivered before did not come again");
    const resumed = await callApi(fresh, "POST", `/v1/targets/${paused}:resume`);
    assert.equal(resumed.status, 200, JSON.stringify(resumed.body));
    await untilReceived(waiting, [...before, ...queued]);
    saw(`the paused target, resumed, got all ${before.length + queued.length} events`);

    const asked = await fetch(`${fresh.apiUrl}/v1/events`, { headers: { authorization: `Bearer ${made.key}` } });
    assert.equal(asked.status, 200);
    const after = await sendEvents(fresh, old.secret, 20);
    for (const receiver of [running, waiting]) await untilReceived(receiver, after);
    const all = before.length + queued.length + after.length;
    await until(() => countEvents(fresh), { accept: (count) => count === all });
    saw(`the key of an operator works; ${after.length} new events were delivered; /v1/stats counts ${all} events`);
  },
};

/** @returns the ids of the events that were acknowledged, at least so many. */
async function sendEvents(clone: Clone, secret: string, count: number): Promise<string[]> {
  const traffic = startTraffic(clone.ingressUrl, secret);
  await until(() => traffic.acknowledged.length >= count);
  await traffic.stop();
  assert.deepEqual([...traffic.refusals], []);
  return traffic.acknowledged;
}

/** Without what the relay tells about itself, as when no worker ran for a while. */
async function countEvents(clone: Clone): Promise<number> {
  const { body } = await callApi(clone, "GET", "/v1/stats?source=gemini&group_by=source&interval=day");
  return (body.data as { events: number }[]).reduce((sum, { events }) => sum + events, 0);
}
