// What the demonstration does to a relay that others use, over the API itself.

import { type Answer, test, type TestApi } from "../../tests/support/api/test-api.ts";
import { describe, expect } from "vitest";

import { DEMO, ensureDemo } from "./event.ts";
import type { RelayConnection } from "../relay/connection.ts";

const ECHO_URL = "http://127.0.0.1:8082/echo";
const FILTER = 'source == "sluice-demo"';

function connect(api: TestApi, changes: { echoUrl?: string; apiKey?: string } = {}): RelayConnection {
  return {
    address: { ingressUrl: "", apiUrl: "", echoUrl: ECHO_URL, apiKey: "key", apiKeyHint: "", ...changes },
    api: async (method, path, body) => {
      const answer = await api.call(method, path, body === undefined ? {} : { body });
      if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
      return answer.body;
    },
    ingress: () => Promise.reject(new Error("This test has no ingress")),
    close: async () => {},
  };
}

const read = async (api: TestApi, { body }: Answer, kind: "sources" | "targets") =>
  (await api.call("GET", `/v1/${kind}/${body.id}`)).body;

const targetOf = async (api: TestApi, id: string) => (await api.call("GET", `/v1/targets/${id}`)).body;

describe("the demonstration", () => {
  test("leaves everything of another's as it is, also what is named demo, or as its target", async ({ api }) => {
    const source = await api.call("POST", "/v1/sources", { body: { name: "demo" } });
    const mine = { uri: "http://mine.example/", subscribed_events: ["batch.*"], state: "paused" };
    const targets = await Promise.all(
      ["demo", DEMO].map((name) => api.call("POST", "/v1/targets", { body: { ...mine, name } })),
    );
    const readAll = () =>
      Promise.all([read(api, source, "sources"), ...targets.map((target) => read(api, target, "targets"))]);
    const before = await readAll();

    const { targetId } = await ensureDemo(connect(api));
    expect(await readAll()).toEqual(before);
    expect(before.map(({ id }) => id)).not.toContain(targetId);
  });

  test("gets the events of its own source alone", async ({ api }) => {
    const { targetId } = await ensureDemo(connect(api));
    expect(await targetOf(api, targetId)).toMatchObject({ name: DEMO, uri: ECHO_URL, filter: FILTER });
    const { data } = (await api.call("GET", "/v1/sources")).body;
    expect(data.map(({ name }: { name: string }) => name)).toContain("sluice-demo");
  });

  test("finds its own again, and repairs it after a change of the relay's addresses and key", async ({ api }) => {
    const { targetId } = await ensureDemo(connect(api));
    await api.call("PATCH", `/v1/targets/${targetId}`, { body: { state: "paused" } });
    const echoUrl = "http://127.0.0.1:9082/echo";
    const again = await ensureDemo(connect(api, { echoUrl, apiKey: "another" }));
    expect(again.targetId).toBe(targetId);
    expect(await targetOf(api, targetId)).toMatchObject({ uri: echoUrl, state: "enabled", filter: FILTER });
  });
});
