// Names of targets, keys and sources at the API: unique, and a filter of the lists.

import { describe, expect } from "vitest";

import { type Answer, test, type TestApi } from "../../../../tests/support/api/test-api.ts";

const target = { uri: "http://billing.internal:3000/gemini", subscribed_events: ["*"] };
const nameTaken = (kind: string) => ({
  status: 409,
  body: { code: "name_taken", errors: [{ pointer: "/name", detail: `is the name of another ${kind}` }] },
});

const namesOf = ({ body }: Answer): string[] => body.data.map(({ name }: { name: string }) => name);
const post = (api: TestApi, path: string, body: object) => api.call("POST", path, { body });

describe("a name that is taken", () => {
  test("is refused where a caller gives it, on creation and on change", async ({ api }) => {
    expect((await post(api, "/v1/targets", { ...target, name: "taken" })).status).toBe(201);
    expect(await post(api, "/v1/targets", { ...target, name: "taken" })).toMatchObject(nameTaken("target"));
    const { body: other } = await post(api, "/v1/targets", { ...target, name: "other" });
    const renamed = await api.call("PATCH", `/v1/targets/${other.id}`, { body: { name: "taken", state: "paused" } });
    expect(renamed).toMatchObject(nameTaken("target"));
    expect((await api.call("GET", `/v1/targets/${other.id}`)).body).toMatchObject({ name: "other", state: "enabled" });
    const same = await api.call("PATCH", `/v1/targets/${other.id}`, { body: { name: "other" } });
    expect(same.status).toBe(200);
    const key = { name: "taken", scopes: ["read"] };
    const made = await post(api, "/v1/keys", key);
    expect(await post(api, "/v1/keys", key)).toMatchObject(nameTaken("API key"));
    await api.call("POST", `/v1/keys/${made.body.id}:revoke`);
    expect((await post(api, "/v1/keys", key)).status).toBe(201);
  });

  test("gets a number where the relay derives it from the URI", async ({ api }) => {
    const made = [await post(api, "/v1/targets", target), await post(api, "/v1/targets", target)];
    expect(made.map(({ body }) => body.name)).toEqual(["billing.internal:3000", "billing.internal:3000-2"]);
    for (const { body } of made) {
      expect((await api.call("GET", `/v1/targets/by-name/${body.name}`)).body.id).toBe(body.id);
    }
  });

  test("gets a number through the WebhookService, on creation and on change", async ({ api }) => {
    const first = await post(api, "/v1/webhooks", { ...target, name: "hook" });
    const second = await post(api, "/v1/webhooks", { ...target, name: "hook" });
    const third = await post(api, "/v1beta/webhooks", { ...target, name: "third" });
    expect([first.body.name, second.body.name]).toEqual(["hook", "hook-2"]);
    const change = (body: object) => api.call("PATCH", `/v1/webhooks/${third.body.id}`, { body });
    expect((await change({ name: "hook" })).body.name).toBe("hook-3");
    expect((await change({ name: "hook", state: "disabled" })).body.name).toBe("hook-3");
  });
});

test.for(["", ".", "..", "a\u0000", "\ud800", "a".repeat(201)])("%j is no name of a target", async (name, { api }) => {
  const answer = await post(api, "/v1/targets", { ...target, name });
  expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer: "/name" }] } });
});

describe("?name=", () => {
  test("lists only what has exactly this name, and its cursor belongs to it", async ({ api }) => {
    for (const name of ["listed", "listed too", "Listed"]) {
      await post(api, "/v1/targets", { ...target, name });
      await post(api, "/v1/keys", { name, scopes: ["read"] });
    }
    for (const name of ["listed", "listed-too"]) await post(api, "/v1/sources", { name });
    for (const list of ["targets", "keys", "sources"]) {
      expect(namesOf(await api.call("GET", `/v1/${list}?name=listed`)), list).toEqual(["listed"]);
      expect(namesOf(await api.call("GET", `/v1/${list}?name=list`)), list).toEqual([]);
      const { next_cursor: cursor } = (await api.call("GET", `/v1/${list}?limit=1`)).body;
      const mixed = await api.call("GET", `/v1/${list}?name=listed&cursor=${cursor}`);
      expect(mixed.body.code, list).toBe("invalid_cursor");
      for (const query of ["?name=", "?name=%00", "?name=a&name=b"]) {
        const refused = await api.call("GET", `/v1/${list}${query}`);
        expect(refused, list).toMatchObject({ status: 400, body: { errors: [{ pointer: "?name" }] } });
      }
    }
    expect(namesOf(await api.call("GET", "/v1/targets?name=listed%20too"))).toEqual(["listed too"]);
  });

  test("shows the revoked keys of the name, too, page by page", async ({ api }) => {
    for (let count = 0; count < 3; count++) {
      const { id } = (await post(api, "/v1/keys", { name: "rotated", scopes: ["read"] })).body;
      if (count < 2) await api.call("POST", `/v1/keys/${id}:revoke`);
    }
    const first = (await api.call("GET", "/v1/keys?name=rotated&limit=2")).body;
    const second = (await api.call("GET", `/v1/keys?name=rotated&limit=2&cursor=${first.next_cursor}`)).body;
    const states = [...first.data, ...second.data].map(({ state }: { state: string }) => state);
    expect(states).toEqual(["active", "revoked", "revoked"]);
    expect(second.next_cursor).toBeNull();
  });
});
