// POST /v1/events/{id}:erase: nothing that the event contained is left in the database, and its trace is.

import { describe, expect } from "vitest";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { recordAttempts } from "@sluice/store/delivery/deliveries";
import { eraseEvent, repeatErasures } from "@sluice/store/delivery/erasure";
import { makeNextStep } from "@sluice/store/delivery/operation-step";

import {
  recordAttempt,
  seedEvent,
  storeKey,
  test,
  type TestApi,
  WORKER_ID,
} from "../../../../../tests/support/api/test-api.ts";
import { dumpDatabase } from "../../../../../tests/support/dump.ts";
import { makeAttempt, seedTarget } from "../../../../../tests/support/seed.ts";

/** A word that only this event contains. */
const makeWord = () => `word-${newId()}`;

/** Whether the database holds a word, as text, or as bytes in hex. */
async function holds(api: TestApi, word: string): Promise<boolean> {
  const dump = await dumpDatabase(api.db);
  return dump.includes(word) || dump.includes(Buffer.from(word).toString("hex"));
}

/** Stores an event that has the word in everything that an event can have. */
async function seedPersonal(api: TestApi, word: string, targetIds: string[] = []) {
  const body = Buffer.from(
    JSON.stringify({ type: "batch.succeeded", data: { id: word }, user_metadata: { user: word } }),
  );
  const seeded = await seedEvent(api, targetIds, {
    body,
    dataId: word,
    userMetadata: { user: word },
    labels: { customer: word },
    filterErrors: [{ target: newId(), error: `no such key: "${word}"` }],
    contentType: `application/json; note=${word}`,
  });
  return { ...seeded, shown: formatId("evt", seeded.eventId) };
}

const erase = (api: TestApi, shown: string, key?: string) =>
  api.call("POST", `/v1/events/${shown}:erase`, key === undefined ? {} : { key });

describe("POST /v1/events/{id}:erase", () => {
  test("leaves no byte of the payload in any table, and keeps event, deliveries and attempts", async ({ api }) => {
    const word = makeWord();
    const [done, waiting] = [await seedTarget(api.db), await seedTarget(api.db)];
    const { shown, deliveryIds } = await seedPersonal(api, word, [done, waiting]);
    await recordAttempt(api, deliveryIds[0] ?? "", { status: "succeeded" }, { statusCode: 200, responseExcerpt: word });
    await recordAttempt(
      api,
      deliveryIds[1] ?? "",
      { status: "pending", retryInMs: 600_000 },
      { statusCode: 500, responseExcerpt: `got ${word}` },
    );
    const found = async () => [
      (await api.call("GET", `/v1/events?data_id=${word}`)).body.data.length,
      (await api.call("GET", `/v1/events?label=customer:${word}`)).body.data.length,
      (await api.call("GET", `/v1/events?user_metadata=user=${word}`)).body.data.length,
    ];
    expect(await holds(api, word)).toBe(true);
    expect(await found()).toEqual([1, 1, 1]);
    const before = (await api.call("GET", `/v1/events/${shown}`)).body;

    const answer = await erase(api, shown);
    expect(answer).toMatchObject({
      status: 200,
      body: { event: shown, body_removed_at: expect.any(String), cancelled: 1, in_flight: 0 },
    });

    expect(await holds(api, word)).toBe(false);
    expect(await found()).toEqual([0, 0, 0]);
    const { rows } = await api.db.pool.query(`SELECT FROM event_terms WHERE event_id = $1`, [
      (await api.db.pool.query("SELECT id FROM events WHERE webhook_id = $1", [before.webhook_id])).rows[0].id,
    ]);
    expect(rows).toEqual([]);
    const after = (await api.call("GET", `/v1/events/${shown}`)).body;
    expect(after).toMatchObject({
      id: before.id,
      webhook_id: before.webhook_id,
      type: before.type,
      received_at: before.received_at,
      payload: null,
      user_metadata: null,
      labels: {},
      size_bytes: 0,
      body_removed_at: answer.body.body_removed_at,
      body_removed_by: "erasure",
    });
    expect(attemptsOf(after)).toEqual(attemptsOf(before));
    expect(after.deliveries.map(({ status }: { status: string }) => status).toSorted()).toEqual([
      "cancelled",
      "succeeded",
    ]);
    const audit = (await api.call("GET", `/v1/audit?resource=${shown}`)).body.data;
    expect(audit).toMatchObject([{ action: "event.erased", after: answer.body }]);
  });

  test("is refused to show, to replay or to retry afterwards, and a list of many goes past it", async ({ api }) => {
    const target = await seedTarget(api.db);
    const { shown, deliveryIds } = await seedPersonal(api, makeWord(), [target]);
    await recordAttempt(api, deliveryIds[0] ?? "", { status: "exhausted" });
    await erase(api, shown);
    const delivery = formatId("dlv", deliveryIds[0] ?? "");
    for (const [method, path] of [
      ["GET", `/v1/events/${shown}/body`],
      ["POST", `/v1/events/${shown}:replay`],
      ["POST", `/v1/deliveries/${delivery}:retry`],
    ] as const) {
      expect(await api.call(method, path)).toMatchObject({ status: 410, body: { code: "body_removed" } });
    }
    const retried = (await api.call("POST", "/v1/deliveries:retry", { body: { event: shown, status: ["exhausted"] } }))
      .body;
    const added = formatId("tgt", await seedTarget(api.db));
    const replayed = (
      await api.call("POST", "/v1/events:replay", {
        body: { webhook_id: (await read(api, shown)).webhook_id, targets: [added] },
      })
    ).body;
    while ((await makeNextStep(api.db, 500)) !== undefined);
    expect((await api.call("GET", `/v1/operations/${retried.id}`)).body).toMatchObject({ done: 0, failed: 1 });
    expect((await api.call("GET", `/v1/operations/${replayed.id}`)).body.replay).toMatchObject({
      matched: 1,
      targets: [{ target: added, created: 0, left_out: 1 }],
    });
    expect((await api.call("GET", `/v1/deliveries/${delivery}`)).body.status).toBe("exhausted");
  });

  test("cancels what a worker has in hand, whose attempt is then logged without an excerpt", async ({ api }) => {
    const word = makeWord();
    const { shown, deliveryIds } = await seedPersonal(api, word, [await seedTarget(api.db)]);
    expect((await erase(api, shown)).body).toMatchObject({ cancelled: 1, in_flight: 1 });
    await recordAttempt(api, deliveryIds[0] ?? "", { status: "succeeded" }, { statusCode: 200, responseExcerpt: word });
    expect((await read(api, shown)).deliveries).toMatchObject([
      {
        status: "cancelled",
        last_error: expect.stringMatching(/^erased:/),
        attempts: [{ status_code: 200, response_excerpt: null }],
      },
    ]);
    expect(await holds(api, word)).toBe(false);
  });

  test("removes again what a worker wrote while the erasure was committed", async ({ api }) => {
    const word = makeWord();
    const { shown, eventId, deliveryIds } = await seedPersonal(api, word, [await seedTarget(api.db)]);
    // The lease of the worker has run out, and it records an attempt that it began before.
    await api.db.pool.query("UPDATE deliveries SET next_attempt_at = now() WHERE event_id = $1", [eventId]);
    const attempt = makeAttempt(deliveryIds[0] ?? "", { responseExcerpt: word, next: { status: "succeeded" } });
    const recorded = await api.db.orm.transaction(async (orm) => {
      await eraseEvent({ orm }, eventId);
      const waiting = recordAttempts(api.db, [attempt], WORKER_ID);
      // The statement has its snapshot and waits for the erasure.
      for (;;) {
        const { rows } = await api.db.pool.query(
          "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO attempts%' AND datname = current_database()",
        );
        if (rows.length > 0) return { waiting };
      }
    });
    await recorded.waiting;
    expect(await holds(api, word)).toBe(true);
    await erase(api, shown);
    await api.db.pool.query(
      `INSERT INTO audit (id, key_name, request_id, action, resource_type, resource_id) VALUES ($1, 'k', 'r', 'event.erased', 'event', $2)`,
      [newId(), shown],
    );
    await repeatErasures(api.db);
    expect(await holds(api, word)).toBe(false);
    expect((await read(api, shown)).deliveries).toMatchObject([{ attempts: [{ response_excerpt: null }] }]);
  });

  test("changes nothing the second time, and writes one entry", async ({ api }) => {
    const { shown } = await seedPersonal(api, makeWord());
    const first = await erase(api, shown);
    expect((await erase(api, shown)).body).toEqual(first.body);
    expect((await api.call("GET", `/v1/audit?resource=${shown}`)).body.data).toHaveLength(1);
  });

  test("needs the scope admin, and an event that is in the log", async ({ api }) => {
    const { shown } = await seedPersonal(api, makeWord());
    const key = await storeKey(api, ["write"]);
    expect(await erase(api, shown, key)).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect((await read(api, shown)).body_removed_at).toBeNull();
    const unknown = await erase(api, formatId("evt", newId()));
    expect(unknown).toMatchObject({
      status: 404,
      body: { code: "not_found", detail: expect.stringContaining("still waits in the queue") },
    });
  });

  test("is a duplicate still when its sender repeats it", async ({ api }) => {
    const body = { type: "batch.succeeded", data: { id: makeWord() }, webhook_id: `msg_${newId()}` };
    const { id } = (await api.call("POST", "/v1/events", { body })).body;
    await erase(api, id);
    expect((await api.call("POST", "/v1/events", { body })).body).toMatchObject({ id, is_duplicate: true });
    expect(await holds(api, body.data.id)).toBe(false);
  });
});

const attemptsOf = (event: { deliveries: { attempts: { id: string; status_code: number }[] }[] }) =>
  event.deliveries.flatMap(({ attempts }) => attempts.map(({ id, status_code }) => ({ id, status_code })));

async function read(api: TestApi, shown: string) {
  return (await api.call("GET", `/v1/events/${shown}`)).body;
}
