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
  const { id } = await relay.call("POST", "/v1/events", given);
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
  expect(await read()).toMatchObject({ id, payload: null, deliveries: [{ status: "succeeded" }] });
});
