// Settings in a file beside the compose file: applied at the start, and again on SIGHUP.

import assert from "node:assert/strict";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { until } from "../support/wait.ts";
import { callApi, receiveOnHost } from "./relay.ts";
import type { Scenario } from "./scenario.ts";

export const settings: Scenario = {
  name: "settings",
  about: "the gateway applies settings/sluice.yaml at its start and on SIGHUP, with secrets from files and variables",
  run: async ({ clone, saw, atEnd }) => {
    const relay = await clone({ env: { COMPOSE_FILE: "docker-compose.yml:compose.settings.yaml" } });
    const receiver = await receiveOnHost();
    atEnd(receiver.stop);
    const directory = join(relay.directory, "settings");
    mkdirSync(join(directory, "secrets"), { recursive: true });
    writeFileSync(join(directory, "secrets", "billing"), "of-a-file\n");
    writeFileSync(join(relay.directory, "settings.env"), "PLACE=of-a-variable\n");
    const write = (...names: string[]) => {
      const targets = names.map(
        (name) =>
          `  - { name: ${name}, uri: "${receiver.url()}", subscribed_events: ["*"], headers: ` +
          '{ x-one: "${file:secrets/billing}", x-two: "${env:PLACE}" } }\n',
      );
      // As git and most editors do it.
      writeFileSync(join(directory, "new"), `targets:\n${targets.join("")}`);
      renameSync(join(directory, "new"), join(directory, "sluice.yaml"));
    };
    const readTargets = async () => {
      const { body } = await callApi(relay, "GET", "/v1/targets");
      return body.data as { id: string; name: string; headers: object; managed_by: string }[];
    };
    write("billing");
    await relay.mustCompose("up", "-d", "--build", "--wait");
    const [first] = await readTargets();
    const headers = { "x-one": "[redacted]", "x-two": "[redacted]" };
    assert.deepEqual(first && [first.name, first.managed_by, first.headers], ["billing", "sluice.yaml", headers]);
    const tested = await callApi(relay, "POST", `/v1/targets/${first?.id}:test`);
    assert.equal(tested.status, 200, JSON.stringify(tested.body));
    const got = ["x-one", "x-two"].map((name) => receiver.headers.get(name));
    assert.deepEqual(got, ["of-a-file", "of-a-variable"]);
    saw("the target of the file is there, and gets headers from a file and from a variable");

    write("billing", "video");
    await relay.mustCompose("kill", "--signal", "HUP", "gateway");
    const both = await until(readTargets, { accept: (targets) => targets.length === 2 });
    saw(`after SIGHUP the relay has ${both.map(({ name }) => name).join(" and ")}`);

    writeFileSync(join(directory, "sluice.yaml"), "targets: [{ name: broken }]\n");
    await relay.mustCompose("kill", "--signal", "HUP", "gateway");
    const log = await until(() => relay.mustCompose("logs", "gateway"), {
      accept: (text) => text.includes("settings not applied"),
    });
    assert.equal((await readTargets()).length, 2);
    saw(/settings not applied[^"]*/.exec(log)?.[0].slice(0, 140) ?? "");
  },
};
