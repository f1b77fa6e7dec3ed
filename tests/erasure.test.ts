// A relay that delivered an event and erases it: nothing of it is in any table, of the log or of the queue.

import { randomUUID } from "node:crypto";

import { expect } from "vitest";

import { dumpDatabase } from "./support/dump.ts";
import { test } from "./support/relay.ts";
import { until } from "./support/wait.ts";

test("an event that was delivered and erased is in no table any more", async ({ relay, receiver }) => {
  const word = `word-${randomUUID()}`;
  // A target may answer with what it got, in its headers too.
  receiver.answerWith(() => ({ headers: { "x-echo": word }, body: word }));
  await relay.createTarget(receiver);
  const given = {
    type: "batch.succeeded",
    data: { id: word },
    user_metadata: { user: word },
    labels: { customer: word },
  };
  const traceId = randomUUID().replaceAll("-", "");
  const sent = await fetch(`${relay.apiUrl}/v1/events`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${relay.apiKey}`,
      "content-type": "application/json",
      traceparent: `00-${traceId}-${"b".repeat(16)}-01`,
      tracestate: `tenant=${word}`,
    },
    body: JSON.stringify(given),
  });
  const { id } = (await sent.json()) as { id: string };
  await receiver.waitFor(1);
  const read = () => relay.call("GET", `/v1/events/${id}`);
  await until(read, { accept: (event) => event.deliveries[0]?.status === "succeeded" });
  const forms = [word, Buffer.from(word).toString("hex")];
  const find = async () => {
    const dump = await dumpDatabase(relay.database.db);
    return forms.filter((form) => dump.includes(form));
  };
  expect(await find()).toEqual(forms);
  await relay.call("POST", `/v1/events/${id}:erase`, {});
  expect(await find()).toEqual([]);
  // The trace of the attempt still leads to the caller's.
  const [delivery] = (await read()).deliveries;
  const attempts = await relay.call("GET", `/v1/attempts?delivery=${delivery.id}`);
  expect(attempts.data[0].request_headers.traceparent).toContain(traceId);
  expect(await read()).toMatchObject({ id, payload: null, deliveries: [{ status: "succeeded" }] });
});
