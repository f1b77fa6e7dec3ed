// A target at an address that is not allowed: nothing is sent to it, its attempts fail with a readable reason, and its
// deliveries arrive once the address is allowed.

import { expect } from "vitest";

import type { ResolveHost } from "@sluice/shared/address/resolve-host";

import { relayTest } from "./support/relay.ts";
import { until } from "./support/wait.ts";

/** The addresses that `rebind.test` resolves to now, and the number of questions so far. */
const answers = { current: ["127.0.0.1"], asked: 0 };

const resolve: ResolveHost = (host, _, done) => {
  answers.asked += 1;
  if (host !== "rebind.test" && host !== "denied.test") done(new Error(`ENOTFOUND ${host}`), []);
  else
    done(
      null,
      answers.current.map((address) => ({ address, family: 4 })),
    );
};

const test = relayTest({ resolve, settings: { TARGET_DENY: "127.0.0.9, denied.test" } });

test("sends nothing to a name while it resolves to a metadata address, and its deliveries afterwards", async ({
  relay,
  receiver,
}) => {
  receiver.answerWith(() => ({ headers: { connection: "close" } }));
  const uri = receiver.url.replace("127.0.0.1", "rebind.test");
  await relay.createTarget(receiver, { uri });
  await relay.sendEvent();
  await receiver.waitFor(1);
  expect(answers.asked).toBe(1);

  answers.current = ["169.254.169.254"];
  const signed = await relay.sendEvent();
  const [delivery] = await until(
    async () => (await relay.call("GET", `/v1/deliveries?webhook_id=${signed.webhookId}`)).data,
    { accept: ([one]) => one?.attempt_count >= 2 },
  );
  expect(delivery).toMatchObject({ status: "pending" });
  const { attempts } = await relay.call("GET", `/v1/deliveries/${delivery.id}`);
  expect(attempts[0]).toMatchObject({
    status_code: null,
    error: "address refused: rebind.test is 169.254.169.254: link-local (169.254.0.0/16)",
  });
  expect(receiver.requests).toHaveLength(1);

  answers.current = ["127.0.0.1"];
  await receiver.waitFor(2);
  expect(receiver.requests[1]?.headers["webhook-id"]).toBe(signed.webhookId);
});

test("the API refuses an address that stands in the URI, and the worker one that a name resolves to", async ({
  relay,
  receiver,
}) => {
  for (const host of ["169.254.169.254", "127.0.0.9", "denied.test", "0xa9.0xfe.0xa9.0xfe"]) {
    await expect(relay.createTarget(receiver, { uri: `http://${host}/` })).rejects.toThrow(/invalid_request.*\/uri/);
  }
  answers.current = ["127.0.0.9"];
  const target = await relay.createTarget(receiver, { uri: receiver.url.replace("127.0.0.1", "rebind.test") });
  await relay.sendEvent();
  const [delivery] = await until(async () => (await relay.call("GET", `/v1/deliveries?target=${target.id}`)).data, {
    accept: ([one]) => one?.last_error !== null && one?.last_error !== undefined,
  });
  expect(delivery.last_error).toBe("address refused: rebind.test is 127.0.0.9: TARGET_DENY has 127.0.0.9");
  expect(receiver.requests).toHaveLength(0);
});
