// What a target gets, to the header, over real HTTP.

import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { newId } from "@sluice/shared/ids";
import { TARGET_DEFAULTS, type Target } from "@sluice/shared/store/targets";
import { expect, test } from "vitest";

import { guardOf } from "../../../tests/support/guard.ts";
import { openAgent, sendDelivery } from "./send.ts";

/** The headers of one delivery as they are on the wire: names and values in turn. */
async function sendWith(headers: Record<string, string>): Promise<string[]> {
  const received = Promise.withResolvers<string[]>();
  const server = createServer((request, response) => {
    received.resolve(request.rawHeaders);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const target: Target = {
    ...TARGET_DEFAULTS,
    id: newId(),
    name: "target",
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    subscribedEvents: ["*"],
    hmacKeys: [],
    headers,
  };
  const delivery = {
    id: newId(),
    eventId: newId(),
    targetId: target.id,
    webhookId: "msg_1",
    contentType: "application/json",
    body: Buffer.from("{}"),
    attemptCount: 0,
    failureCount: 0,
    trigger: "initial" as const,
    deadlineInMs: 1_000,
  };
  const agent = openAgent(guardOf());
  try {
    expect(await sendDelivery(agent, target, delivery, 1)).toMatchObject({ statusCode: 200, error: null });
    return await received.promise;
  } finally {
    await agent.close();
    await new Promise((resolve) => server.close(resolve));
  }
}

const valuesOf = (raw: string[], name: string) =>
  raw.filter((_, index) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === name);

test("a configured header replaces the relay's own, however it is written, and is sent once", async () => {
  expect(valuesOf(await sendWith({}), "user-agent")).toEqual(["sluice"]);
  const raw = await sendWith({ "User-Agent": "billing", "X-Tenant": "7" });
  expect(valuesOf(raw, "user-agent")).toEqual(["billing"]);
  expect(valuesOf(raw, "x-tenant")).toEqual(["7"]);
});

test("no configured header takes the place of one that the relay signs", async () => {
  const raw = await sendWith({ "Webhook-Id": "other", "Sluice-Attempt": "9" });
  expect(valuesOf(raw, "webhook-id")).toEqual(["msg_1"]);
  expect(valuesOf(raw, "sluice-attempt")).toEqual(["1"]);
});
