// GET /v1/rejections: what a rejection shows, and what each filter and page returns.

import { describe, expect } from "vitest";

import { formatId, idFloor, newId } from "@sluice/shared/domain/ids";
import { REFUSAL_REASONS } from "@sluice/signature/refusal";
import { countRejections, insertRejections, type NewRejection } from "@sluice/store/log/rejections";

import { type Answer, pointersOf, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";

const list = (api: TestApi, query = "") => api.call("GET", `/v1/rejections${query}`);

const idsOf = ({ body }: Answer) => body.data.map(({ id }: { id: string }) => id) as string[];

const shownId = ({ id }: { id: string }) => formatId("rej", id);

async function seedRejection(api: TestApi, changes: Partial<NewRejection> = {}): Promise<NewRejection> {
  const rejection: NewRejection = {
    id: newId(),
    sourceId: api.geminiId,
    reason: "signature_mismatch",
    detail: "no signature matches",
    webhookId: `msg_${newId()}`,
    remoteAddress: "192.0.2.1",
    sizeBytes: 12,
    weight: 1,
    ...changes,
  };
  await insertRejections(api.db, [rejection]);
  return rejection;
}

describe("a rejection", () => {
  test("is shown with every field that was recorded", async ({ api }) => {
    const id = `${idFloor(Date.now()).slice(0, 13)}${newId().slice(13)}`;
    const rejection = await seedRejection(api, { id, weight: 40 });
    const { rows } = await api.db.pool.query<{ created_at: Date }>("SELECT created_at FROM rejections WHERE id = $1", [
      id,
    ]);
    const answer = await list(api, `?webhook_id=${rejection.webhookId}`);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      data: [
        {
          id: shownId(rejection),
          source: formatId("src", api.geminiId),
          reason: "signature_mismatch",
          detail: "no signature matches",
          webhook_id: rejection.webhookId,
          remote_address: "192.0.2.1",
          size_bytes: 12,
          count: 40,
          created_at: rows[0]?.created_at.toISOString(),
        },
      ],
      next_cursor: null,
      resume_cursor: null,
      searched_to: null,
    });
  });

  test("shows null for a field that was not recorded", async ({ api }) => {
    const sourceId = newId();
    await seedRejection(api, { sourceId, webhookId: null, remoteAddress: null, sizeBytes: null });
    const answer = await list(api, `?source=${formatId("src", sourceId)}`);
    expect(answer.body.data).toMatchObject([{ webhook_id: null, remote_address: null, size_bytes: null, count: 1 }]);
  });
});

describe("GET /v1/rejections", () => {
  test("returns the rejections that match every filter", async ({ api }) => {
    const sourceId = newId();
    const source = formatId("src", sourceId);
    const mismatch = await seedRejection(api, { sourceId });
    const stale = await seedRejection(api, { sourceId, reason: "stale_timestamp" });
    const large = await seedRejection(api, { sourceId, reason: "too_large", webhookId: mismatch.webhookId });
    const ofGemini = await seedRejection(api, { reason: "body_interrupted" });
    const found = async (query: string) => idsOf(await list(api, `?source=${source}${query}`));
    expect(await found("")).toEqual([large, stale, mismatch].map(shownId));
    expect(await found("&reason=stale_timestamp")).toEqual([shownId(stale)]);
    expect(await found("&reason=too_large&reason=signature_mismatch")).toEqual([large, mismatch].map(shownId));
    expect(await found("&reason=no_secret")).toEqual([]);
    expect(await found(`&webhook_id=${mismatch.webhookId}`)).toEqual([large, mismatch].map(shownId));
    expect(await found(`&webhook_id=${mismatch.webhookId}&reason=too_large`)).toEqual([shownId(large)]);
    expect(await found("&webhook_id=none")).toEqual([]);
    expect(idsOf(await list(api, "?source=gemini&reason=body_interrupted"))).toEqual([shownId(ofGemini)]);
    for (const reason of REFUSAL_REASONS) expect((await list(api, `?reason=${reason}`)).status).toBe(200);
  });

  test("compares since, which is included, and until, which is not, with created_at", async ({ api }) => {
    const sourceId = newId();
    const source = formatId("src", sourceId);
    const startMs = Date.now() - 3_600_000;
    for (const ms of [0, 1000, 2000]) {
      await seedRejection(api, { id: `${idFloor(startMs + ms).slice(0, 13)}${newId().slice(13)}`, sourceId });
    }
    const iso = (ms: number) => new Date(startMs + ms).toISOString();
    const times = async (query: string) => {
      const { body } = await list(api, `?source=${source}&${query}`);
      return body.data.map((rejection: { created_at: string }) => rejection.created_at) as string[];
    };
    expect(await times(`since=${iso(0)}&until=${iso(2001)}`)).toEqual([iso(2000), iso(1000), iso(0)]);
    expect(await times(`since=${iso(1000)}&until=${iso(2000)}`)).toEqual([iso(1000)]);
    expect(await times(`until=${iso(0)}`)).toEqual([]);
  });

  test("returns every rejection once over all pages, while others arrive", async ({ api }) => {
    const sourceId = newId();
    const query = `?source=${formatId("src", sourceId)}&limit=3`;
    const seeded = [];
    for (let i = 0; i < 7; i++) seeded.push(await seedRejection(api, { sourceId }));
    const walked: string[] = [];
    let cursor = "";
    for (;;) {
      const page = await list(api, `${query}${cursor}`);
      walked.push(...idsOf(page));
      if (page.body.next_cursor === null) break;
      cursor = `&cursor=${page.body.next_cursor}`;
      await seedRejection(api, { sourceId });
    }
    expect(walked).toEqual(seeded.map(shownId).toReversed());
  });

  test("accepts a cursor only with the filters of its list, whose reasons may be in any order", async ({ api }) => {
    const sourceId = newId();
    const source = `source=${formatId("src", sourceId)}`;
    await seedRejection(api, { sourceId });
    await seedRejection(api, { sourceId, reason: "too_large" });
    const reasons = "reason=too_large&reason=signature_mismatch";
    const { next_cursor: cursor } = (await list(api, `?${source}&${reasons}&limit=1`)).body;
    const swapped = "reason=signature_mismatch&reason=too_large&reason=too_large";
    expect(idsOf(await list(api, `?${source}&${swapped}&cursor=${cursor}`))).toHaveLength(1);
    for (const query of ["", `${source}&`, `${source}&reason=too_large&`, `${source}&${reasons}&webhook_id=a&`]) {
      expect((await list(api, `?${query}cursor=${cursor}`)).body).toMatchObject({
        status: 400,
        code: "invalid_cursor",
      });
    }
  });

  test.for([
    ["reason=nonsense", "?reason", 'has "nonsense"; the reasons are missing_token, '],
    ["reason=too_large&reason=Too_Large", "?reason", 'has "Too_Large"; '],
    ["reason=", "?reason", 'has ""; '],
    ["reason=toString", "?reason", 'has "toString"; '],
    ["source=nobody", "?source", "must be the name or the id of a source"],
    ["source=a&source=b", "?source", "must be given once"],
    ["webhook_id=%00", "?webhook_id", "must not contain a NUL"],
    ["since=yesterday", "?since", "must be a time of RFC 3339"],
    ["limit=251", "?limit", "must be an integer from 1 to 250"],
    ["cursor=x", "?cursor", "is not a cursor of this API"],
    ["type=batch.failed", "?type", "is not a parameter of this path"],
  ] as const)("refuses %s and names %s", async ([query, pointer, detail], { api }) => {
    const answer = await list(api, `?${query}`);
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual([pointer]);
    expect(answer.body.errors[0].detail).toContain(detail);
  });

  test("names each unknown reason", async ({ api }) => {
    const answer = await list(api, "?reason=one&reason=too_large&reason=two");
    expect(answer.body.errors.map(({ detail }: { detail: string }) => detail.split(";")[0])).toEqual([
      'has "one"',
      'has "two"',
    ]);
  });
});

describe("GET /v1/rejections/{id}", () => {
  test("answers the rejection as the list shows it", async ({ api }) => {
    const rejection = await seedRejection(api, { weight: 7 });
    const answer = await api.call("GET", `/v1/rejections/${shownId(rejection)}`);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual((await list(api, `?webhook_id=${rejection.webhookId}`)).body.data[0]);
    expect(answer.headers.get("etag")).not.toBeNull();
  });

  test("answers 404 to an id that no rejection has", async ({ api }) => {
    expect((await api.call("GET", `/v1/rejections/${formatId("rej", newId())}`)).status).toBe(404);
    expect((await api.call("GET", `/v1/rejections/${formatId("evt", newId())}`)).body.code).toBe("invalid_id");
  });
});

const countOf = async (api: TestApi, query: string) => (await api.call("GET", `/v1/stats/rejections?${query}`)).body;

describe("GET /v1/stats/rejections", () => {
  test("counts requests and not lines, by source and reason, the most frequent first", async ({ api }) => {
    const sourceId = newId();
    const source = formatId("src", sourceId);
    await seedRejection(api, { sourceId, weight: 2 });
    await seedRejection(api, { sourceId, reason: "too_large", remoteAddress: "192.0.2.9" });
    const newest = await seedRejection(api, { sourceId, reason: "too_large", weight: 4_000 });
    const { body } = await list(api, `?webhook_id=${newest.webhookId}`);
    const [{ created_at: newestAt }] = body.data;
    expect(await countOf(api, `source=${source}`)).toEqual({
      data: [
        { source, reason: "too_large", count: 4_001, newest_at: newestAt },
        { source, reason: "signature_mismatch", count: 2, newest_at: expect.any(String) },
      ],
      counted_to: null,
    });
    expect((await countOf(api, `source=${source}&remote_address=192.0.2.9`)).data).toMatchObject([{ count: 1 }]);
    expect((await countOf(api, `source=${source}&reason=signature_mismatch`)).data).toMatchObject([{ count: 2 }]);
    const past = `source=${source}&until=${new Date(Date.now() - 60_000).toISOString()}`;
    expect(await countOf(api, past)).toEqual({ data: [], counted_to: null });
  });

  test("says from when on it counted, when there are more than it reads", async ({ api }) => {
    const sourceId = newId();
    for (let seeded = 0; seeded < 5; seeded++) await seedRejection(api, { sourceId, weight: 10 });
    const { counts, countedToMs } = await countRejections(api.db, { sourceId }, { mostRows: 3 });
    expect(counts).toMatchObject([{ count: 30 }]);
    expect(countedToMs).toBeLessThanOrEqual(Date.now());
    expect((await countRejections(api.db, { sourceId }, { mostRows: 5 })).countedToMs).toBeUndefined();
  });

  test("refuses what the list refuses", async ({ api }) => {
    for (const query of ["reason=nonsense", "since=yesterday", "limit=3"]) {
      expect((await api.call("GET", `/v1/stats/rejections?${query}`)).status).toBe(400);
    }
  });
});
