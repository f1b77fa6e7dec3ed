// A probe always gets an answer, and the answer is right.

import { expect, test } from "vitest";

import { SLUICE_VERSION } from "../domain/version.ts";
import { answerLiveness, type Check, Readiness } from "./health.ts";

const answering = (answers: boolean, isRequired = true): Check => ({ isRequired, ask: async () => ({ ok: answers }) });
const failing: Check = { isRequired: true, ask: () => Promise.reject(new Error("away")) };

const ask = async (checks: Record<string, Check>) => {
  const { status, body } = await new Readiness(checks).answer("GET");
  return [status, JSON.parse(body)];
};

test("readiness is ready when all checks pass", async () => {
  expect(await ask({ a: answering(true), b: answering(true, false) })).toEqual([
    200,
    { status: "ready", version: SLUICE_VERSION, checks: { a: { ok: true }, b: { ok: true } } },
  ]);
});

test("readiness is not ready while a required check fails", async () => {
  for (const away of [answering(false), failing]) {
    expect(await ask({ a: away, b: answering(true) })).toEqual([
      503,
      { status: "not_ready", version: SLUICE_VERSION, checks: { a: { ok: false }, b: { ok: true } } },
    ]);
  }
});

test("readiness is degraded while a check fails that is not required", async () => {
  expect(await ask({ a: answering(true), b: answering(false, false) })).toEqual([
    200,
    { status: "degraded", version: SLUICE_VERSION, checks: { a: { ok: true }, b: { ok: false } } },
  ]);
});

test("readiness shows the details that a check found", async () => {
  const finding = { ok: false, durable: false, problems: ["appendfsync is everysec"] };
  expect(await ask({ a: { isRequired: false, ask: async () => finding } })).toEqual([
    200,
    { status: "degraded", version: SLUICE_VERSION, checks: { a: finding } },
  ]);
});

test("readiness answers in time when a store hangs, and asks this store only once", async () => {
  let asked = 0;
  const store = Promise.withResolvers<{ ok: boolean }>();
  const readiness = new Readiness({ hung: { isRequired: true, ask: () => (asked++, store.promise) } }, 20);
  for (let probe = 0; probe < 3; probe++) {
    const { status, body } = await readiness.answer("GET");
    expect([status, JSON.parse(body)]).toEqual([
      503,
      { status: "not_ready", version: SLUICE_VERSION, checks: { hung: { ok: false } } },
    ]);
  }
  expect(asked).toBe(1);
  store.resolve({ ok: true });
  await store.promise;
  expect((await readiness.answer("GET")).status).toBe(200);
});

test("readiness is stopping after the stop has begun", async () => {
  const readiness = new Readiness({ a: answering(true) });
  readiness.beginStop();
  expect(await readiness.answer("GET")).toMatchObject({ status: 503 });
});

test("both take GET and HEAD, and name these methods in the answer to any other", async () => {
  const readiness = new Readiness({});
  for (const method of ["GET", "HEAD"]) {
    expect(answerLiveness(method).status).toBe(200);
    expect((await readiness.answer(method)).status).toBe(200);
  }
  for (const method of ["POST", "DELETE", "OPTIONS"]) {
    for (const answer of [answerLiveness(method), await readiness.answer(method)]) {
      expect(answer).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } });
      expect(JSON.parse(answer.body)).toMatchObject({ code: "method_not_allowed" });
    }
  }
});
