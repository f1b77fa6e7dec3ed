// What happens to the relay is told in a chat: once, whichever of two workers finds it.

import { expect, inject } from "vitest";

import { readOperational } from "./support/operational.ts";
import { openProxiedStores } from "./support/proxied-stores.ts";
import { type Receiver, startReceiver } from "./support/receiver.ts";
import { type Relay, relayTest } from "./support/relay.ts";
import { until } from "./support/wait.ts";

const settings = {
  TARGET_FAILING_AFTER_SECONDS: "1",
  RELAY_DEGRADED_AFTER_SECONDS: "1",
  API_URL: "http://sluice.internal",
};
const test = relayTest({ settings });

/** A stand-in for an incoming webhook of Slack, subscribed to these events. */
const subscribeSlack = (relay: Relay, slack: Receiver, subscribedEvents: string[], changes: object = {}) =>
  relay.createTarget(slack, {
    kind: "slack",
    uri: `${slack.url}/secret`,
    subscribed_events: subscribedEvents,
    ...changes,
  });

const textsAt = (slack: Receiver): string[] => slack.requests.map(({ body }) => JSON.parse(String(body)).text);

/** Returns when two more looks have begun: whatever was to be told by then is told. */
async function letRelayLook(relay: Relay) {
  const lookedAt = async () =>
    (await relay.database.db.pool.query<{ at: Date }>("SELECT looked_at AS at FROM telling")).rows[0]?.at.getTime() ??
    0;
  for (let looks = 0; looks < 2; looks++) {
    const before = await lookedAt();
    await until(async () => (await lookedAt()) > before);
  }
}

test("a target that is down is told once in a chat, and its recovery once, by two workers", async ({
  relay,
  receiver,
}) => {
  const second = await relay.startWorker();
  const slack = await startReceiver();
  try {
    await subscribeSlack(relay, slack, ["sluice.target.*"]);
    receiver.answerWith(() => ({ status: 503, body: "down for maintenance" }));
    const target = await relay.createTarget(receiver, { name: "billing" });
    await relay.sendEvent();
    await slack.waitFor(1);
    const message = String(slack.requests[0]?.body);
    for (const text of [
      "Target billing is failing",
      "the answer was 503",
      `http://sluice.internal/v1/targets/${target.id}`,
    ])
      expect(message).toContain(text);
    await letRelayLook(relay);
    expect(slack.requests).toHaveLength(1);

    receiver.answerWith(() => ({}));
    await slack.waitFor(2);
    await letRelayLook(relay);
    expect(textsAt(slack)).toEqual(["🔴 Target billing is failing", "🟢 Target billing has recovered"]);
  } finally {
    await second.stop();
    await relay.deleteTargets(slack);
    await slack.stop();
  }
});

test("a target that answers 410 is told as disabled, and `*` matches none of this", async ({ relay, receiver }) => {
  const [slack, everything] = [await startReceiver(), await startReceiver()];
  try {
    await subscribeSlack(relay, slack, ["sluice.target.disabled"]);
    await relay.createTarget(everything);
    receiver.answerWith(() => ({ status: 410 }));
    await relay.createTarget(receiver, { name: "archive" });
    const { webhookId } = await relay.sendEvent();
    await slack.waitFor(1);
    expect(textsAt(slack)).toEqual(["🔴 Target archive was disabled"]);
    await letRelayLook(relay);
    expect(everything.requests.map(({ headers }) => headers["webhook-id"])).toEqual([webhookId]);
  } finally {
    for (const each of [slack, everything]) {
      await relay.deleteTargets(each);
      await each.stop();
    }
  }
});

test("a chat that is down is not told about, and its failures cause nothing", async ({ relay, receiver }) => {
  const slack = await startReceiver();
  slack.answerWith(() => ({ status: 500 }));
  try {
    const retry = { base_seconds: 0.1, cap_seconds: 0.2, horizon_seconds: 1 };
    const chat = await subscribeSlack(relay, slack, ["sluice.*"], { retry });
    receiver.answerWith(() => ({ status: 500 }));
    const target = await relay.createTarget(receiver, { name: "shipping", retry });
    await relay.sendEvent();
    const list = async () =>
      (await relay.call("GET", "/v1/deliveries?status=exhausted&limit=250")).data.filter(
        (one: { event_type: string }) => one.event_type.startsWith("sluice."),
      );
    await until(async () => (await list()).length >= 1);
    await letRelayLook(relay);
    const { rows } = await relay.database.db.pool.query<{ body: Buffer }>(
      "SELECT body FROM events WHERE type LIKE 'sluice.%' ORDER BY id",
    );
    const subjects = rows.map(({ body }) => readOperational(body).data.id);
    expect(subjects).toContain(target.id);
    expect(subjects).not.toContain(chat.id);
  } finally {
    await relay.deleteTargets(slack);
    await slack.stop();
  }
});

test.runIf(inject("queue") === "redis")("a Redis that is away is told, and so is its return", async () => {
  const stores = await openProxiedStores();
  const relay = await stores.startRelay({ settings });
  const slack = await startReceiver();
  try {
    await subscribeSlack(relay, slack, ["sluice.relay.*"]);
    await stores.proxies.redis?.cut();
    await slack.waitFor(1, 110_000);
    await stores.proxies.redis?.restore();
    await slack.waitFor(2, 110_000);
    expect(textsAt(slack)).toEqual(["🔴 The relay is degraded", "🟢 The relay has recovered"]);
    expect(String(slack.requests[0]?.body)).toContain("redis");
  } finally {
    await relay.stop();
    await slack.stop();
  }
});
