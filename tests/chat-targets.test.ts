// Chat targets against stand-ins of the services: what they get, and that their limits and their secrets are kept.

import { CHAT_KINDS } from "@sluice/shared/domain/target-kinds";
import { expect } from "vitest";

import { dumpDatabase } from "./support/dump.ts";
import { type Receiver, startReceiver } from "./support/receiver.ts";
import { type Relay, relayTest } from "./support/relay.ts";
import { geminiEvent } from "./support/sign.ts";
import { until } from "./support/wait.ts";

const API_URL = "http://sluice.internal:8081";
const test = relayTest({ settings: { API_URL: `${API_URL}/` } });

const SECRET = "s3cret-part-of-the-url-0123456789";

const createChat = (relay: Relay, receiver: Receiver, kind: string, changes: object = {}) =>
  relay.createTarget(receiver, { kind, uri: `${receiver.url}/${SECRET}`, ...changes });

const messageAt = (receiver: Receiver, index: number) => JSON.parse(receiver.requests[index]?.body.toString() ?? "");

test.for(CHAT_KINDS)(
  "a target of the kind %s gets a message about an event, and about a test",
  async (kind, { relay, receiver }) => {
    const target = await createChat(relay, receiver, kind);
    const { webhookId } = await relay.sendEvent({ body: geminiEvent() });
    const [request] = await receiver.waitFor(1);
    expect(request?.path).toMatch(new RegExp(`^/hook/${SECRET}${kind === "discord" ? String.raw`\?wait=true` : ""}$`));
    expect(Object.keys(request?.headers ?? {}).filter((name) => /^(webhook|sluice)-/.test(name))).toEqual([]);
    expect(request?.headers["content-type"]).toBe("application/json");
    const { data } = await until(() => relay.call("GET", `/v1/events?webhook_id=${webhookId}`), {
      accept: (page) => page.data.length === 1,
    });
    expect(JSON.stringify(messageAt(receiver, 0))).toContain(`${API_URL}/v1/events/${data[0].id}`);

    const { attempt } = await relay.call("POST", `/v1/targets/${target.id}:test`);
    const shown = {
      url: `${new URL(receiver.url).origin}/`,
      request_headers: { "user-agent": "sluice", "content-type": "application/json" },
    };
    expect(attempt).toMatchObject({ status_code: 200, error: null, ...shown });
    expect(Object.keys(attempt.request_headers)).toHaveLength(2);
    expect(JSON.stringify(messageAt(receiver, 1))).toContain("A test of this target");
  },
);

test("a service that asks for a pause gets nothing until it is over", async ({ relay, receiver }) => {
  const retry = { base_seconds: 0.1, cap_seconds: 0.2, horizon_seconds: 60 };
  await createChat(relay, receiver, "slack", { rate_limit: null, retry });
  receiver.answerWith((_, index) => (index === 0 ? { status: 429, headers: { "retry-after": "2" } } : {}));
  const sent = [await relay.sendEvent()];
  const [first] = await receiver.waitFor(1);
  for (let more = 0; more < 5; more++) sent.push(await relay.sendEvent());
  const requests = await receiver.waitFor(1 + sent.length);
  // The pause begins with the answer.
  for (const request of requests.slice(1))
    expect(request.receivedAtMs - (first?.receivedAtMs ?? 0)).toBeGreaterThanOrEqual(1_950);
});

test("the URL is in no log line, no attempt and no table", async ({ relay, receiver }) => {
  const closed = await startReceiver();
  const target = await createChat(relay, closed, "teams");
  await closed.stop();
  await relay.call("POST", `/v1/targets/${target.id}:test`);
  await createChat(relay, receiver, "discord");
  receiver.answerWith(() => ({ status: 400, body: '{"message": "invalid"}' }));
  await relay.sendEvent();
  await receiver.waitFor(1);
  const attempts = await until(() => relay.call("GET", "/v1/attempts?limit=250"), {
    accept: ({ data }) => data.some((one: { status_code: number | null }) => one.status_code === 400),
  });
  for (const text of [JSON.stringify(attempts), relay.logLines.join(""), await dumpDatabase(relay.database.db)])
    expect(text).not.toContain(SECRET);
  await relay.deleteTargets(closed);
});
