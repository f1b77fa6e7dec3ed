// The first start, as README.md has it: one command, no file prepared.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { postWebhook } from "../support/post-webhook.ts";
import { geminiEvent, signWebhook } from "../support/sign.ts";
import { runDocker, TEST_IMAGE } from "./clone.ts";
import { addTarget, readReadiness, receiveOnHost, untilReceived } from "./relay.ts";
import type { Scenario } from "./scenario.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";

export const firstStart: Scenario = {
  name: "first-start",
  about: "one command starts everything, and an event reaches a target on the host",
  run: async ({ clone, saw, atEnd }) => {
    const relay = await clone({ env: { SLUICE_COMMIT: COMMIT, TARGET_CA_FILE: "./ca.pem" } });
    // Any certificate does: the worker reads the file, or it does not start.
    writeFileSync(join(relay.directory, "ca.pem"), readFileSync("/etc/ssl/certs/ca-certificates.crt"));
    const { version } = JSON.parse(readFileSync(join(relay.directory, "package.json"), "utf8")) as { version: string };
    await relay.mustCompose("up", "-d", "--build", "--wait");
    const { status, body } = await readReadiness(relay);
    assert.deepEqual([status, body.status, body.version], [200, "ready", version]);
    saw(`/readyz: ${body.status}, version ${body.version}`);

    const labels = await runDocker([
      "image",
      "inspect",
      "--format",
      "{{json .Config.Labels}}",
      `${TEST_IMAGE}:${version}`,
    ]);
    const { "org.opencontainers.image.version": labelled, "org.opencontainers.image.revision": revision } = JSON.parse(
      labels.stdout,
    ) as Record<string, string>;
    assert.deepEqual([labelled, revision], [version, COMMIT]);
    const said = await relay.mustCompose("exec", "-T", "worker", "node", "worker.mjs", "--version");
    assert.equal(said.trim(), `${version} (${COMMIT})`);
    saw(`the image ${TEST_IMAGE}:${version} has the labels of its version and commit, and says ${said.trim()}`);

    const receiver = await receiveOnHost();
    atEnd(receiver.stop);
    await addTarget(relay, receiver.url());
    const event = signWebhook({ secret: relay.secret, body: geminiEvent() });
    assert.equal((await postWebhook(relay.ingressUrl, event)).status, 200);
    await untilReceived(receiver, [event.webhookId]);
    saw("an event reached a target at host.docker.internal");

    const [gateway] = await relay.containers("gateway");
    const { stdout } = await runDocker(["inspect", "--format", "{{json .HostConfig.LogConfig}}", gateway?.ID ?? ""]);
    assert.deepEqual(JSON.parse(stdout), { Type: "local", Config: { "max-file": "5", "max-size": "20m" } });
    saw(`the log of a container is rotated: ${stdout.trim()}`);

    await relay.mustCompose("up", "-d", "--build", "--wait");
    assert.deepEqual((await relay.containers("gateway"))[0]?.ID, gateway?.ID);
    saw("the same command again left the gateway alone");
  },
};
