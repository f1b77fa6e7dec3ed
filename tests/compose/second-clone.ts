// A second clone beside the first one: another directory, other ports, nothing shared.

import assert from "node:assert/strict";

import { postWebhook } from "../support/post-webhook.ts";
import { geminiEvent, signWebhook } from "../support/sign.ts";
import { callApi, readReadiness } from "./relay.ts";
import type { Scenario } from "./scenario.ts";

export const secondClone: Scenario = {
  name: "second-clone",
  about: "two clones run beside each other, and removing one leaves the other",
  run: async ({ clone, saw }) => {
    const [first, second] = [await clone(), await clone()];
    await first.mustCompose("up", "-d", "--build", "--wait");
    await second.mustCompose("up", "-d", "--build", "--wait");
    for (const each of [first, second]) assert.equal((await readReadiness(each)).body.status, "ready");

    const [key, otherKey] = [await first.apiKey(), await second.apiKey()];
    assert.notEqual(key, otherKey);
    const answer = await fetch(`${second.apiUrl}/v1/sources`, { headers: { authorization: `Bearer ${key}` } });
    assert.equal(answer.status, 401);
    saw("each has a key of its own, which the other one refuses");

    const event = signWebhook({ secret: first.secret, body: geminiEvent() });
    assert.equal((await postWebhook(first.ingressUrl, event)).status, 200);
    assert.notEqual((await postWebhook(second.ingressUrl, event)).status, 200);
    const counts = await Promise.all([first, second].map((each) => callApi(each, "GET", "/v1/events")));
    assert.equal(counts[1]?.body.data.length, 0);
    saw("an event of the first is not in the second");

    await second.mustCompose("down", "--volumes");
    assert.equal((await readReadiness(first)).body.status, "ready");
    saw("`docker compose down --volumes` of the second left the first running");
  },
};
