// An acknowledged event is never lost: not by a bad event in its batch, and not by a PostgreSQL that refuses rows.

import { expect } from "vitest";

import { openQueue } from "./support/queue.ts";
import { test } from "./support/relay.ts";
import { makeQueuedEvent as event } from "./support/seed.ts";
import { until } from "./support/wait.ts";

test("sets aside the events that cannot be read, and stores and delivers the others of their batch", async ({
  relay,
  receiver,
}) => {
  await relay.createTarget(receiver);
  const { producer } = await openQueue(relay);
  const good = Array.from({ length: 100 }, () => event());
  // This gateway queues no such event, but one of an older or newer version may.
  const bad = [event({ body: undefined }), event({ receivedAtMs: "never" }), event({ id: 7 }), null as never];
  await producer.add("intake", { events: [...bad, ...good, ...bad] });
  const requests = await receiver.waitFor(100);
  const delivered = new Set(requests.map(({ headers }) => headers["webhook-id"]));
  expect(delivered).toEqual(new Set(good.map(({ webhookId }) => webhookId)));
  await until(() => relay.logLines.filter((line) => line.includes("job failed")).length >= bad.length);
});

test("keeps events waiting, and counts no failed start, while PostgreSQL refuses rows for a reason of its own", async ({
  relay,
  receiver,
}) => {
  await relay.createTarget(receiver);
  const { pool } = relay.database.db;
  // A sequence also counts the tries that are rolled back.
  await pool.query(`
    CREATE SEQUENCE tries;
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM nextval('tries');
      RAISE insufficient_privilege;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON event_keys EXECUTE FUNCTION refuse()`);
  const signed = await relay.sendEvent();
  await until(async () => Number((await pool.query("SELECT last_value FROM tries")).rows[0].last_value) >= 3);
  await pool.query("DROP TRIGGER refuse ON event_keys");
  const [request] = await receiver.waitFor(1);
  expect(request?.headers["webhook-id"]).toBe(signed.webhookId);
  const { data } = await relay.call("GET", `/v1/events?webhook_id=${signed.webhookId}`);
  const own = relay.logLines.filter((line) => line.includes(data[0].id));
  expect(own.filter((line) => line.includes("event cannot be stored"))).toEqual([]);
});
