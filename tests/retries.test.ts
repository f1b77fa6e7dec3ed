// Retries: what happens to a delivery whose target fails, does not answer, or asks for time.

import { Webhook } from "standardwebhooks";
import { expect } from "vitest";

import { parseId } from "@sluice/shared/domain/ids";

import { type Relay, test } from "./support/relay.ts";
import { until } from "./support/wait.ts";

interface Attempt {
  number: number;
  trigger: string;
  status_code: number | null;
  error: string | null;
  started_at: string;
  duration_ms: number;
  request_headers: Record<string, string>;
}

/** Waits until the only delivery of a webhook has the status. */
async function waitForDelivery(relay: Relay, webhookId: string, status: string) {
  const find = async () => (await relay.call("GET", `/v1/deliveries?webhook_id=${webhookId}`)).data;
  const [found] = await until(find, { accept: (all) => all[0]?.status === status, what: `a delivery ${status}` });
  const delivery = await relay.call("GET", `/v1/deliveries/${found.id}`);
  return { delivery, attempts: delivery.attempts as Attempt[] };
}

/** The milliseconds from the start of each attempt to the start of the next one. */
const gapsMs = (attempts: Attempt[]) =>
  attempts
    .slice(1)
    .map((attempt, index) => Date.parse(attempt.started_at) - Date.parse(attempts[index]?.started_at ?? ""));

test("a target that answers 500 three times and then 200 gets four attempts, at least the base apart", async ({
  relay,
  receiver,
}) => {
  receiver.answerWith((_, index) => (index < 3 ? { status: 500, body: "not yet" } : { status: 200, body: "thanks" }));
  // The cap equals the base, so the jitter has no room and the pauses are known.
  const retry = { base_seconds: 0.3, cap_seconds: 0.3, horizon_seconds: 60 };
  const target = await relay.createTarget(receiver, { retry });
  const signed = await relay.sendEvent();
  const { delivery, attempts } = await waitForDelivery(relay, signed.webhookId, "succeeded");

  expect(delivery).toMatchObject({ attempt_count: 4, last_status_code: 200, last_error: null, next_attempt_at: null });
  expect(attempts).toMatchObject([
    {
      number: 1,
      trigger: "initial",
      status_code: 500,
      response_excerpt: "not yet",
      url: receiver.url,
      address: new URL(receiver.url).host,
      connect_ms: expect.any(Number),
      first_byte_ms: expect.any(Number),
      request_headers: { "webhook-id": signed.webhookId, "sluice-delivery-id": delivery.id },
      response_headers: { date: expect.stringMatching(/GMT$/) },
    },
    { number: 2, trigger: "retry", status_code: 500 },
    { number: 3, trigger: "retry", status_code: 500 },
    { number: 4, trigger: "retry", status_code: 200, response_excerpt: "thanks" },
  ]);
  for (const gap of gapsMs(attempts)) expect(gap).toBeGreaterThanOrEqual(300);
  expect(Date.parse(delivery.finished_at)).toBeGreaterThanOrEqual(Date.parse(attempts[3]?.started_at ?? ""));

  const requests = await receiver.waitFor(4);
  expect(requests.map((request) => request.headers["sluice-attempt"])).toEqual(["1", "2", "3", "4"]);
  for (const { headers, body } of requests) {
    expect(headers["webhook-id"]).toBe(signed.webhookId);
    expect(headers["sluice-delivery-id"]).toBe(delivery.id);
    // The log shows what was sent, except the signature and the connection's own.
    const shown = attempts[Number(headers["sluice-attempt"]) - 1]?.request_headers;
    const { host, connection, "content-length": length, "webhook-signature": signature, ...rest } = headers;
    expect([host, connection, length, signature].every((value) => value !== undefined)).toBe(true);
    expect(rest).toEqual(shown);
    expect(body.equals(signed.body)).toBe(true);
    expect(() => new Webhook(target.new_signing_secret).verify(body, headers as Record<string, string>)).not.toThrow();
  }
});

test("the pause before the next attempt at most doubles each time, and is never shorter than the base", async ({
  relay,
  receiver,
}) => {
  receiver.answerWith((_, index) => ({ status: index < 3 ? 503 : 200 }));
  await relay.createTarget(receiver, { retry: { base_seconds: 0.1, cap_seconds: 60, horizon_seconds: 60 } });
  const signed = await relay.sendEvent();
  const { attempts } = await waitForDelivery(relay, signed.webhookId, "succeeded");
  const gaps = gapsMs(attempts);
  expect(gaps).toHaveLength(3);
  for (const [index, gap] of gaps.entries()) {
    expect(gap).toBeGreaterThanOrEqual(100);
    // In addition to the jitter's ceiling, this leaves time for the wake-up and for a busy machine.
    expect(gap).toBeLessThan(100 * 2 ** (index + 1) + 30_000);
  }
});

test.for([
  ["never answers", "hang", "timeout"],
  ["drops the connection", "reset", "connection"],
  ["answers 404", { status: 404 }, null],
  ["redirects, which is not followed", { status: 307, headers: { location: "/elsewhere" } }, null],
] as const)(
  "a target that %s is exhausted at its deadline, and :retry revives it",
  async ([, answer, error], { relay, receiver }) => {
    receiver.answerWith(() => answer);
    const retry = { base_seconds: 1, cap_seconds: 1, horizon_seconds: 3_600 };
    const target = await relay.createTarget(receiver, { timeout_seconds: error === "timeout" ? 1 : 30, retry });
    const signed = await relay.sendEvent();
    // The deadline is set to now after two attempts, however long those took to begin.
    const [pending] = await until(
      async () => (await relay.call("GET", `/v1/deliveries?webhook_id=${signed.webhookId}`)).data,
      { accept: ([one]) => one?.attempt_count >= 2 },
    );
    await relay.database.db.pool.query("UPDATE deliveries SET deadline_at = now() WHERE id = $1", [
      parseId("dlv", pending.id, "id"),
    ]);
    const { delivery, attempts } = await waitForDelivery(relay, signed.webhookId, "exhausted");
    expect(delivery.next_attempt_at).toBeNull();
    expect(Date.parse(delivery.finished_at)).toBeGreaterThanOrEqual(Date.parse(delivery.deadline_at));
    expect(attempts.length).toBeGreaterThan(1);
    expect(attempts.length).toBe(delivery.attempt_count);
    if (error !== null) {
      expect(attempts[0]).toMatchObject({ status_code: null, error: expect.stringContaining(error) });
      expect(delivery.last_error).toContain(error);
    }
    for (const request of receiver.requests) expect(request.path).toBe("/hook");

    receiver.answerWith(() => ({ status: 200 }));
    await relay.call("PATCH", `/v1/targets/${target.id}`, { timeout_seconds: 30 });
    const revived = await relay.call("POST", `/v1/deliveries/${delivery.id}:retry`);
    expect(revived).toMatchObject({ id: delivery.id, status: "pending" });
    expect(Date.parse(revived.deadline_at)).toBeGreaterThan(Date.parse(delivery.deadline_at));
    const after = await waitForDelivery(relay, signed.webhookId, "succeeded");
    expect(after.attempts.at(-1)).toMatchObject({ trigger: "manual", number: attempts.length + 1, status_code: 200 });
  },
);

test("a response that begins in time and does not end is a timeout, not a success", async ({ relay, receiver }) => {
  receiver.answerWith((_, index) => (index === 0 ? { status: 200, body: "part", endless: true } : { status: 200 }));
  // Long enough for the second attempt on a machine that stands still for a while.
  await relay.createTarget(receiver, { timeout_seconds: 5 });
  const signed = await relay.sendEvent();
  const { attempts } = await waitForDelivery(relay, signed.webhookId, "succeeded");
  expect(attempts).toMatchObject([{ error: expect.stringContaining("timeout") }, { status_code: 200, error: null }]);
});

test("Retry-After takes precedence over a shorter pause", async ({ relay, receiver }) => {
  receiver.answerWith((_, index) => (index === 0 ? { status: 429, headers: { "retry-after": "2" } } : { status: 200 }));
  await relay.createTarget(receiver);
  const signed = await relay.sendEvent();
  const { attempts } = await waitForDelivery(relay, signed.webhookId, "succeeded");
  expect(attempts).toHaveLength(2);
  // Retry-After counts from the answer, which comes after the start of the attempt.
  expect(gapsMs(attempts)[0]).toBeGreaterThanOrEqual(2_000);
});

test("a succeeded delivery can be sent again by hand, with the same webhook-id", async ({ relay, receiver }) => {
  await relay.createTarget(receiver);
  const signed = await relay.sendEvent();
  const { delivery } = await waitForDelivery(relay, signed.webhookId, "succeeded");
  await relay.call("POST", `/v1/deliveries/${delivery.id}:retry`);
  const [first, second] = await receiver.waitFor(2);
  expect(second?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
  expect(second?.headers["sluice-attempt"]).toBe("2");
  expect(second?.body.equals(signed.body)).toBe(true);
});
