// PUT of a target by its name: what goes back to its default, and which credentials stay.

import { expect } from "vitest";

import { readId } from "@sluice/shared/domain/ids";
import { getTarget } from "@sluice/store/configuration/targets";

import { pointersOf, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { hasOpenssl, readNewCertificates } from "../../../../../tests/support/certificates.ts";

const minimal = { uri: "https://billing.internal/gemini", subscribed_events: ["*"] };

const put = (api: TestApi, name: string, body: object) => api.call("PUT", `/v1/targets/by-name/${name}`, { body });
const stored = async (api: TestApi, id: string) => getTarget(api.db, api.masterKey, readId("tgt", id) ?? "");

test("what is left out goes back to its default, and signing secrets and header values stay", async ({ api }) => {
  const settings = {
    state: "paused",
    headers: { authorization: "Bearer 1" },
    timeout_seconds: 3,
    max_in_flight: 2,
    rate_limit: { requests: 1, per_seconds: 1 },
    retry: { base_seconds: 1, cap_seconds: 2, horizon_seconds: 3 },
    filter: 'event.type == "a"',
  };
  const { new_signing_secret: _, ...made } = (await put(api, "defaults", { ...minimal, ...settings })).body;
  const rotation = { previous: "revoke_after_24h" };
  const { signing_secrets: secrets } = (
    await api.call("POST", `/v1/targets/${made.id}:rotate-secret`, { body: rotation })
  ).body;
  const replaced = await put(api, "defaults", {
    ...minimal,
    subscribed_events: ["batch.*"],
    retry: { cap_seconds: 60 },
  });
  expect(replaced.status).toBe(200);
  const fresh = (await put(api, "fresh", { ...minimal, subscribed_events: ["batch.*"], retry: { cap_seconds: 60 } }))
    .body;
  const { new_signing_secret: __, ...defaults } = fresh;
  expect(replaced.body).toEqual({
    ...defaults,
    id: made.id,
    name: "defaults",
    headers: { authorization: "[redacted]" },
    signing_secrets: secrets,
    created_at: made.created_at,
    updated_at: expect.any(String),
    state_changed_at: expect.any(String),
  });
  expect(secrets).toHaveLength(2);
  expect((await stored(api, made.id))?.headers).toEqual({ authorization: "Bearer 1" });
  expect(api.woken).toContain(readId("tgt", made.id));
});

test("headers that are given replace all, and their values do not go to another origin", async ({ api }) => {
  const { id } = (await put(api, "headers", { ...minimal, headers: { a: "1", b: "2" } })).body;
  await put(api, "headers", { ...minimal, headers: { a: "[redacted]", c: "3" } });
  expect((await stored(api, id))?.headers).toEqual({ a: "1", c: "3" });
  await put(api, "headers", { ...minimal, uri: "https://other.internal/gemini" });
  expect((await stored(api, id))?.headers).toEqual({});
  const headers = { a: "[redacted]" };
  expect(pointersOf(await put(api, "headers", { ...minimal, headers }))).toEqual(["/headers/a"]);
  expect(pointersOf(await put(api, "no-headers", { ...minimal, headers }))).toEqual(["/headers/a"]);
});

const tlsTest = test.skipIf(!hasOpenssl());

tlsTest("the client certificate with its key stays, and the other settings of TLS do not", async ({ api }) => {
  const { ca, clientCertificate, clientKey } = readNewCertificates();
  const tls = { ca, server_name: "a.internal", client_certificate: clientCertificate, client_key: clientKey };
  const { id, ...made } = (await put(api, "tls", { ...minimal, tls })).body;
  const kept = { ca: [], server_name: null, client_certificate: made.tls.client_certificate };
  expect((await put(api, "tls", minimal)).body.tls).toEqual(kept);
  expect((await stored(api, id))?.tls?.clientKey).toContain("PRIVATE KEY");
  const named = await put(api, "tls", { ...minimal, tls: { server_name: "b.internal" } });
  expect(named.body.tls).toEqual({ ...kept, server_name: "b.internal" });
  expect((await put(api, "tls", { ...minimal, tls: null })).body.tls).toBeNull();
  await put(api, "tls", { ...minimal, tls });
  expect((await put(api, "tls", { ...minimal, uri: "http://billing.internal/gemini" })).body.tls).toBeNull();
});

test("a PUT is checked as a creation is", async ({ api }) => {
  expect(pointersOf(await put(api, "checked", {}))).toEqual(["/subscribed_events", "/uri"]);
  const forbidden = { ...minimal, uri: "https://169.254.169.254/" };
  for (let count = 0; count < 2; count++) {
    expect(pointersOf(await put(api, "checked", { ...minimal, retry: { cap_seconds: 1 } }))).toEqual([
      "/retry/cap_seconds",
    ]);
    expect(pointersOf(await put(api, "checked", forbidden))).toEqual(["/uri"]);
    await put(api, "checked", minimal);
  }
});

test("a PUT enables a target that the relay has disabled", async ({ api }) => {
  const { id } = (await put(api, "gone", minimal)).body;
  await api.db.pool.query(
    "UPDATE targets SET state = 'disabled_due_to_failed_deliveries', state_reason = 'why' WHERE id = $1",
    [readId("tgt", id)],
  );
  expect((await put(api, "gone", minimal)).body).toMatchObject({ state: "enabled", state_reason: null });
});
