// An upgrade as docs/upgrading.md has it, from the last version whose project was always called `sluice`, with data and
// under traffic; and the way back.

import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";

import { until } from "../support/wait.ts";
import { TEST_IMAGE } from "./clone.ts";
import { addTarget, callApi, readReadiness, receiveOnHost, untilReceived } from "./relay.ts";
import type { Scenario } from "./scenario.ts";
import { startTraffic } from "./traffic.ts";

const FROM = "c734dd9a3cb9937fbf0d55dcb08e76124b4c1b7b";
/** What a sender may see while the only gateway is replaced: docs/upgrading.md. */
const DOCUMENTED = ["503", "ECONNREFUSED", "ECONNRESET", "UND_ERR_SOCKET"];

export const upgrade: Scenario = {
  name: "upgrade",
  about: "from the version before the first release, with data and traffic, and back",
  run: async ({ clone, saw, atEnd }) => {
    const relay = await clone({ commit: FROM });
    // Nothing of a stack that this machine really has may be touched.
    const project = `${relay.project}-old`;
    const keepApart = () => {
      relay.edit("docker-compose.yml", "name: sluice\n", `name: ${project}\n`);
      relay.edit("docker-compose.yml", "image: sluice\n", `image: ${TEST_IMAGE}:old\n`);
    };
    keepApart();
    atEnd(async () => {
      relay.set({ COMPOSE_PROJECT_NAME: project });
      // The old files do not know every volume of the new ones.
      await relay.checkOut();
      await relay.mustCompose("--profile", "*", "down", "--volumes", "--timeout", "5");
    });
    await relay.mustCompose("up", "-d", "--wait");
    const receiver = await receiveOnHost();
    atEnd(receiver.stop);
    // The old version does not know the name of the host.
    await addTarget(relay, receiver.url(addressOfHost()));
    const paused = await addTarget(relay, receiver.url(addressOfHost()), "paused");
    const key = await relay.apiKey();
    const before = startTraffic(relay.ingressUrl, relay.secret);
    await until(() => before.acknowledged.length >= 100);
    await before.stop();
    await untilReceived(receiver, before.acknowledged);
    saw(`the old stack: ${before.describe()}; a paused target holds them`);

    const traffic = startTraffic(relay.ingressUrl, relay.secret);
    await relay.checkOut();
    // The old project has another name than the directory.
    const stranger = await relay.compose("up", "-d", "--build", "--wait");
    assert.notEqual(stranger.code, 0);
    assert.match(stranger.output, /port is already allocated|address already in use/i);
    await relay.mustCompose("down", "--volumes");
    assert.deepEqual([...traffic.refusals], []);
    saw("without COMPOSE_PROJECT_NAME the command refuses, because the ports are taken, and the old stack goes on");

    relay.set({ COMPOSE_PROJECT_NAME: project });
    await relay.upgrade();
    const { body } = await readReadiness(relay);
    assert.equal(body.status, "ready", JSON.stringify(body));
    assert.equal(await relay.apiKey(), key);
    const aim = traffic.acknowledged.length + 100;
    await until(() => traffic.acknowledged.length >= aim);
    assert.deepEqual(
      [...traffic.refusals.keys()].filter((reason) => !DOCUMENTED.includes(reason)),
      [],
    );
    saw(`version ${body.version} runs with the same key: ${traffic.describe()}`);
    await traffic.stop();
    await untilReceived(receiver, traffic.acknowledged);
    saw("everything that was acknowledged before, meanwhile and after was delivered");

    const after = startTraffic(relay.ingressUrl, relay.secret);
    await relay.checkOut(FROM);
    keepApart();
    await relay.upgrade();
    const enough = after.acknowledged.length + 50;
    await until(() => after.acknowledged.length >= enough);
    await after.stop();
    await untilReceived(receiver, after.acknowledged);
    assert.deepEqual(
      [...after.refusals.keys()].filter((reason) => !DOCUMENTED.includes(reason)),
      [],
    );
    const old = await readReadiness(relay);
    assert.deepEqual([old.body.status, old.body.version], ["ready", undefined]);
    saw(`rollback to the old version: ${after.describe()}; all were delivered`);

    const all = [...before.acknowledged, ...traffic.acknowledged, ...after.acknowledged];
    const twice = all.filter((id) => (receiver.received.get(id) ?? 0) > 1).length;
    const resumed = await callApi(relay, "PATCH", `/v1/targets/${paused}`, { state: "enabled" });
    assert.equal(resumed.status, 200, JSON.stringify(resumed.body));
    await until(() => all.filter((id) => (receiver.received.get(id) ?? 0) < 2).length, {
      accept: (open) => open === 0,
    });
    saw(`the paused target, resumed, got all ${all.length} events of the three versions (${twice} came twice before)`);
  },
};

/** An address of this machine that containers reach: that of Docker's own bridge, where it has one. */
function addressOfHost(): string {
  const { docker0 = [], ...others } = networkInterfaces();
  const addresses = [docker0, ...Object.values(others)].flatMap((each) => each ?? []);
  const found = addresses.find(({ family, internal }) => family === "IPv4" && !internal);
  return found?.address ?? "127.0.0.1";
}
