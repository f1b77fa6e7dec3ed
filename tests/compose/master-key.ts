// Another master key, and a lost one, by the commands of docs/runbooks/leaked-secret.md and lost-master-key.md.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { postWebhook } from "../support/post-webhook.ts";
import { geminiEvent, signWebhook } from "../support/sign.ts";
import { addTarget, callApi, readReadiness, receiveOnHost, untilReceived } from "./relay.ts";
import type { Scenario } from "./scenario.ts";

const KEYS = "/var/lib/sluice/master-key /var/lib/sluice-readers/*/master-key";

export const masterKey: Scenario = {
  name: "master-key",
  about: "the master key is replaced, and then lost: the relay goes on with what is left",
  run: async ({ clone, saw, atEnd }) => {
    const relay = await clone();
    await relay.mustCompose("up", "-d", "--build", "--wait");
    const receiver = await receiveOnHost();
    atEnd(receiver.stop);
    const target = await addTarget(relay, receiver.url());
    const inSecrets = (script: string) =>
      relay.mustCompose("run", "--rm", "-T", "--no-deps", "secrets", "sh", "-c", script);
    const send = async () => {
      const event = signWebhook({ secret: relay.secret, body: geminiEvent() });
      assert.equal((await postWebhook(relay.ingressUrl, event)).status, 200);
      return event.webhookId;
    };
    await untilReceived(receiver, [await send()]);

    const old = await inSecrets(`cat ${KEYS} | sort -u`);
    const rekeyed = await relay.follow("runbooks/leaked-secret", "rekey in compose");
    assert.match(rekeyed.output, /[1-9]\d* values are encrypted with the new master key now/);
    const now = await inSecrets(`cat ${KEYS} | sort -u`);
    assert.equal(now.trim().split("\n").length, 1);
    assert.notEqual(now, old);
    assert.ok(!existsSync(join(relay.directory, "new-key")));
    assert.equal((await readReadiness(relay)).body.status, "ready");
    await untilReceived(receiver, [await send()]);
    saw("with another master key, the relay is ready and delivers with the same secrets");

    await relay.mustCompose("stop", "gateway", "worker");
    await inSecrets(`rm ${KEYS}`);
    const lost = await relay.follow("runbooks/lost-master-key", "lost in compose");
    assert.match(lost.output, /[1-9]\d* secrets are lost/);
    assert.equal((await readReadiness(relay)).body.status, "ready");
    const { body: shown } = await callApi(relay, "GET", `/v1/targets/${target}`);
    assert.deepEqual([shown.state, shown.lost_secrets], ["paused", ["signing_secret"]]);
    // The secret of the source `gemini` is in .env, and not lost.
    const waiting = await send();
    const rotated = await callApi(relay, "POST", `/v1/targets/${target}:rotate-secret`, {
      previous: "revoke_immediately",
    });
    assert.equal(rotated.status, 200, JSON.stringify(rotated.body));
    assert.equal((await callApi(relay, "POST", `/v1/targets/${target}:resume`)).status, 200);
    await untilReceived(receiver, [waiting]);
    saw("with a lost one, the target waited for a new secret, and then got what had come meanwhile");
    const { body: audit } = await callApi(relay, "GET", "/v1/audit?resource=relay");
    saw(`the audit trail has ${(audit.data as { action: string }[]).map(({ action }) => action).join(" and ")}`);
  },
};
