// GET /v1/events and GET /v1/events/{id}: what an event shows, and what each filter and page returns.

import { describe, expect } from "vitest";

import { formatId, idTime, newId, readId } from "@sluice/shared/domain/ids";

import { type Answer, pointersOf, seedEvent, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";

const list = (api: TestApi, query = "") => api.call("GET", `/v1/events${query}`);

const idsOf = ({ body }: Answer) => body.data.map(({ id }: { id: string }) => id) as string[];

const shownId = (event: { eventId: string }) => formatId("evt", event.eventId);

const nest = (levels: number) => Buffer.from("[".repeat(levels) + "]".repeat(levels));

describe("an event", () => {
  test("is shown with every field, and is the same in the list", async ({ api }) => {
    const text = '{"type":"batch.succeeded","data":{"id":"batch_1","n":[1,null]}}';
    const receivedAtMs = Date.parse("2026-01-22T12:00:01.250Z");
    const target = newId();
    const event = await seedEvent(api, [], {
      body: Buffer.from(text),
      receivedAtMs,
      userMetadata: { job: "a" },
      labels: { team: "billing" },
      filterErrors: [{ target, error: "no such key" }],
      bodyUnbound: true,
    });
    const answer = await api.call("GET", `/v1/events/${shownId(event)}`);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      id: shownId(event),
      source: formatId("src", api.geminiId),
      webhook_id: event.webhookId,
      type: "batch.succeeded",
      timestamp: "2026-01-22T12:00:00.000Z",
      received_at: "2026-01-22T12:00:01.250Z",
      scheme: "v1",
      body_unbound: true,
      content_encoding: null,
      user_metadata: { job: "a" },
      labels: { team: "billing" },
      filter_errors: [{ target: formatId("tgt", target), error: "no such key" }],
      size_bytes: text.length,
      body_removed_at: null,
      body_removed_by: null,
      payload: JSON.parse(text),
      deliveries: [],
    });
    const listed = await list(api, `?webhook_id=${event.webhookId}`);
    const { deliveries: _, ...withoutDeliveries } = answer.body;
    expect(listed.body).toEqual({
      data: [withoutDeliveries],
      next_cursor: null,
      resume_cursor: null,
      searched_to: null,
    });
  });

  test("a page says which time it reached, and the last one that it is the last", async ({ api }) => {
    const labels = { run: newId() };
    await seedEvent(api, [], { labels });
    const event = await seedEvent(api, [], { labels });
    const path = `?limit=1&label=run:${labels.run}`;
    const first = await list(api, path);
    expect(first.body.data).toMatchObject([{ id: shownId(event) }]);
    expect(Date.parse(first.body.searched_to)).toBe(idTime(event.eventId));
    const last = await list(api, `${path}&cursor=${first.body.next_cursor}`);
    expect(last.body).toMatchObject({ data: [{}], next_cursor: null, searched_to: null });
  });

  test("shows empty labels and filter errors when it has none", async ({ api }) => {
    const event = await seedEvent(api);
    const answer = await api.call("GET", `/v1/events/${shownId(event)}`);
    expect(answer.body).toMatchObject({ labels: {}, filter_errors: [], body_unbound: false });
  });

  test("shows its size and a null payload when the body is not UTF-8 or not JSON", async ({ api }) => {
    for (const body of [
      Buffer.from([0xff, 0xfe, 0x00]),
      Buffer.from("{"),
      Buffer.from('"\xff"', "latin1"),
      Buffer.alloc(0),
    ]) {
      const event = await seedEvent(api, [], { body, type: null, occurredAtMs: null });
      const answer = await api.call("GET", `/v1/events/${shownId(event)}`);
      expect(answer.body).toMatchObject({ payload: null, size_bytes: body.length, type: null, timestamp: null });
    }
  });

  test("shows a null payload when it is nested too deep, and the other events of its page as they are", async ({
    api,
  }) => {
    const deep = await seedEvent(api, [], { type: "nested", body: nest(50_000) });
    const allowed = await seedEvent(api, [], { type: "nested", body: nest(500) });
    const { body } = await list(api, "?event_type=nested");
    expect(body.data).toMatchObject([
      { id: shownId(allowed), payload: expect.any(Array) },
      { id: shownId(deep), payload: null, size_bytes: 100_000 },
    ]);
  });

  test("shows any JSON value as its payload", async ({ api }) => {
    for (const payload of [[], "text", 0, false, { a: { b: [] } }]) {
      const event = await seedEvent(api, [], { body: Buffer.from(JSON.stringify(payload)) });
      expect((await api.call("GET", `/v1/events/${shownId(event)}`)).body.payload).toEqual(payload);
    }
  });

  test("is a 404 when no event has the id", async ({ api }) => {
    const answer = await api.call("GET", `/v1/events/${formatId("evt", newId())}`);
    expect(answer.body).toMatchObject({ status: 404, code: "not_found" });
  });
});

describe("GET /v1/events", () => {
  test("returns the events that match every filter", async ({ api }) => {
    const { body: source } = await api.call("POST", "/v1/sources", { body: { name: "filtered" } });
    const { rows } = await api.db.pool.query<{ id: string }>("SELECT id FROM sources WHERE name = 'filtered'");
    const sourceId = rows[0]?.id ?? "";
    const succeeded = await seedEvent(api, [], { sourceId, type: "batch.succeeded" });
    const failed = await seedEvent(api, [], { sourceId, type: "batch.failed" });
    const other = await seedEvent(api, [], { sourceId, type: "batches.other" });
    const untyped = await seedEvent(api, [], { sourceId, type: null });
    const found = async (query: string) => idsOf(await list(api, `?source=filtered${query}`));
    const all = [untyped, other, failed, succeeded].map(shownId);
    expect(await found("")).toEqual(all);
    expect(idsOf(await list(api, `?source=${source.id}`))).toEqual(all);
    expect(await found("&event_type=batch.failed")).toEqual([shownId(failed)]);
    expect(await found("&event_type=batch.*")).toEqual([failed, succeeded].map(shownId));
    expect(await found("&event_type=*")).toEqual(all);
    expect(await found("&event_type=batch")).toEqual([]);
    expect(await found(`&webhook_id=${other.webhookId}`)).toEqual([shownId(other)]);
    expect(await found("&webhook_id=none")).toEqual([]);
    expect(await found("&event_type=batch.*&limit=1")).toEqual([shownId(failed)]);
  });

  test("returns the events that have a label with the given value", async ({ api }) => {
    const labels = { team: "a", "x:y": "1" };
    const labelled = await seedEvent(api, [], { type: "labelled", labels });
    await seedEvent(api, [], { type: "labelled", labels: { team: "b" } });
    await seedEvent(api, [], { type: "labelled" });
    const found = async (label: string) =>
      idsOf(await list(api, `?event_type=labelled&label=${encodeURIComponent(label)}`));
    expect(await found("team:a")).toEqual([shownId(labelled)]);
    for (const label of ["team:c", "team:", "other:a", "__proto__:a"]) expect(await found(label)).toEqual([]);
  });

  test("treats batch.completed and batch.succeeded as two names of one type", async ({ api }) => {
    const { body: source } = await api.call("POST", "/v1/sources", { body: { name: "aliases" } });
    const sourceId = readId("src", source.id) ?? "";
    const older = await seedEvent(api, [], { sourceId, type: "batch.completed" });
    const newer = await seedEvent(api, [], { sourceId, type: "batch.succeeded" });
    await seedEvent(api, [], { sourceId, type: "batch.failed" });
    for (const type of ["batch.completed", "batch.succeeded"]) {
      const answer = await list(api, `?source=aliases&event_type=${type}`);
      expect(idsOf(answer)).toEqual([newer, older].map(shownId));
      expect(answer.body.data.map((event: { type: string }) => event.type)).toEqual([
        "batch.succeeded",
        "batch.completed",
      ]);
    }
  });

  test("includes since and excludes until, in any offset", async ({ api }) => {
    const events = [];
    const startMs = Date.now() - 3_600_000;
    for (const ms of [0, 1000, 2000]) {
      const id = newId().slice(13);
      const time = (startMs + ms).toString(16).padStart(12, "0");
      const timed = { id: `${time.slice(0, 8)}-${time.slice(8)}${id}`, type: "timed", receivedAtMs: startMs + ms };
      events.push(await seedEvent(api, [], timed));
    }
    const [, middle] = events;
    const iso = (ms: number) => new Date(startMs + ms).toISOString();
    const found = async (query: string) => idsOf(await list(api, `?event_type=timed&${query}`));
    expect(await found(`since=${iso(0)}&until=${iso(2001)}`)).toHaveLength(3);
    expect(await found(`since=${iso(1000)}&until=${iso(2000)}`)).toEqual([middle].map((each) => each && shownId(each)));
    const offset = new Date(startMs + 1000 + 7_200_000).toISOString().replace("Z", "+02:00");
    expect(await found(`since=${encodeURIComponent(offset)}`)).toHaveLength(2);
    expect(await found(`since=${offset}`)).toHaveLength(2);
    expect(await found("until=1970-01-01T00:00:00Z")).toEqual([]);
    expect(await found("since=9999-12-31T23:59:59Z")).toEqual([]);
  });

  test("returns every event once over all pages, while others arrive", async ({ api }) => {
    const events = [];
    for (let i = 0; i < 7; i++) events.push(await seedEvent(api, [], { type: "paged" }));
    const walked: string[] = [];
    let cursor = "";
    for (;;) {
      const page = await list(api, `?event_type=paged&limit=3${cursor}`);
      walked.push(...idsOf(page));
      if (page.body.next_cursor === null) break;
      cursor = `&cursor=${page.body.next_cursor}`;
      await seedEvent(api, [], { type: "paged" });
    }
    expect(walked).toEqual(events.map(shownId).toReversed());
  });

  test("ends a page of large payloads early, and continues at its cursor", async ({ api }) => {
    const body = Buffer.from(JSON.stringify("x".repeat(1_500_000)));
    for (let i = 0; i < 5; i++) await seedEvent(api, [], { type: "large", body });
    const huge = await seedEvent(api, [], { type: "large", body: Buffer.alloc(5_000_000, "1") });
    const sizes: number[] = [];
    let cursor = "";
    do {
      const page = await list(api, `?event_type=large${cursor}`);
      sizes.push(page.body.data.length);
      if (sizes.length === 1) expect(idsOf(page)).toEqual([shownId(huge)]);
      cursor = page.body.next_cursor === null ? "" : `&cursor=${page.body.next_cursor}`;
    } while (cursor !== "");
    expect(sizes).toEqual([1, 2, 2, 1]);
  });

  test.for([
    ["source=nobody", "?source", "must be the name or the id of a source"],
    ["source=src_1", "?source", "must look like src_"],
    ["source=", "?source", "must not be empty"],
    ["event_type=", "?event_type", "must not be empty"],
    ["event_type=a%00", "?event_type", "must not contain a NUL"],
    ["webhook_id=%00", "?webhook_id", "must not contain a NUL"],
    [`webhook_id=${"a".repeat(257)}`, "?webhook_id", "must have at most 256 characters"],
    ["since=yesterday", "?since", "must be a time of RFC 3339"],
    ["since=2026-02-30T00:00:00Z", "?since", "must be a time of RFC 3339"],
    ["until=1700000000", "?until", "must be a time of RFC 3339"],
    ["until=", "?until", "must be a time of RFC 3339"],
    ["label=team", "?label", "must be a label's name and value"],
    ["label=:a", "?label", "must be a label's name and value"],
    ["label=a:%00", "?label", "must not contain a NUL"],
    ["type=batch.failed", "?type", "is not a parameter of this path"],
    ["status=pending", "?status", "is not a parameter of this path"],
  ] as const)("refuses %s and names %s", async ([query, pointer, detail], { api }) => {
    const answer = await list(api, `?${query}`);
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual([pointer]);
    expect(answer.body.errors[0].detail).toContain(detail);
  });

  test("accepts a cursor only with the filters of its list", async ({ api }) => {
    await seedEvent(api);
    await seedEvent(api);
    const { next_cursor: cursor } = (await list(api, "?source=gemini&limit=1")).body;
    const gemini = formatId("src", api.geminiId);
    expect((await list(api, `?source=${gemini}&limit=2&cursor=${cursor}`)).status).toBe(200);
    for (const query of ["", "source=gemini&event_type=*&", "source=gemini&since=2026-01-01T00:00:00Z&"]) {
      expect((await list(api, `?${query}cursor=${cursor}`)).body).toMatchObject({
        status: 400,
        code: "invalid_cursor",
      });
    }
  });
});
