// What the demonstration changes in a relay that others use, too. The tests use the real API.

import { createSluiceClient } from "@sluice/client/client";
import { describe, expect } from "vitest";

import { type Answer, test, type TestApi } from "../../tests/support/api/test-api.ts";
import type { RelayConnection } from "../relay/connection.ts";
import { DEMO, deriveDemoSecrets, ensureDemo } from "./setup.ts";

const RECEIVER_URL = "http://127.0.0.1:50080/webhook";
const FILTER = 'source == "sluice-demo"';

function connect(api: TestApi, apiKey = "key"): RelayConnection {
  const fetch = async (request: Request) => {
    const { pathname, search } = new URL(request.url);
    const text = await request.text();
    const { status, body } = await api.call(request.method, pathname + search, text === "" ? {} : { body: text });
    return Response.json(body, { status });
  };
  return {
    address: { ingressUrl: "", apiUrl: "", apiKey, apiKeyHint: "" },
    api: createSluiceClient({ baseUrl: "http://relay.example", apiKey, fetch }),
    ingress: () => Promise.reject(new Error("This test has no ingress")),
    close: async () => {},
  };
}

const read = async (api: TestApi, { body }: Answer, kind: "sources" | "targets") =>
  (await api.call("GET", `/v1/${kind}/${body.id}`)).body;

const targetOf = async (api: TestApi, id: string) => (await api.call("GET", `/v1/targets/${id}`)).body;

describe("the demonstration", () => {
  test("changes nothing that belongs to others, not even a target with its own name", async ({ api }) => {
    const source = await api.call("POST", "/v1/sources", { body: { name: "demo" } });
    const mine = { uri: "http://mine.example/", subscribed_events: ["batch.*"], state: "paused" };
    const targets = await Promise.all(
      ["demo", DEMO].map((name) => api.call("POST", "/v1/targets", { body: { ...mine, name } })),
    );
    const readAll = () =>
      Promise.all([read(api, source, "sources"), ...targets.map((target) => read(api, target, "targets"))]);
    const before = await readAll();

    const { targetId } = await ensureDemo(connect(api), RECEIVER_URL);
    expect(await readAll()).toEqual(before);
    expect(before.map(({ id }) => id)).not.toContain(targetId);
  });

  test("gets only the events of its own source", async ({ api }) => {
    const { targetId } = await ensureDemo(connect(api), RECEIVER_URL);
    expect(await targetOf(api, targetId)).toMatchObject({ uri: RECEIVER_URL, filter: FILTER });
    const { data } = (await api.call("GET", "/v1/sources")).body;
    expect(data.map(({ name }: { name: string }) => name)).toContain("sluice-demo");
  });

  test("finds its target again, and repairs it after a change of the receiver's address and the key", async ({
    api,
  }) => {
    const { targetId } = await ensureDemo(connect(api), RECEIVER_URL);
    await api.call("PATCH", `/v1/targets/${targetId}`, { body: { state: "paused" } });
    const newUrl = "http://127.0.0.1:50090/webhook";
    const again = await ensureDemo(connect(api, "another"), newUrl);
    expect(again.targetId).toBe(targetId);
    expect(await targetOf(api, targetId)).toMatchObject({ uri: newUrl, state: "enabled", filter: FILTER });
  });

  test("gives its target the secret that follows from the API key, and no other", async ({ api }) => {
    for (const apiKey of ["key", "another"]) {
      const { targetId } = await ensureDemo(connect(api, apiKey), RECEIVER_URL);
      const { signing_secrets: shown } = await targetOf(api, targetId);
      const end = deriveDemoSecrets(apiKey).target.slice(-4);
      expect(shown.map((secret: { truncated_secret: string }) => secret.truncated_secret.slice(-4))).toEqual([end]);
    }
  });
});
