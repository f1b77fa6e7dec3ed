// POST /v1/configuration:apply and GET /v1/configuration: what a file says is what there is, and nothing else is touched.

import { describe, expect } from "vitest";

import { newId } from "@sluice/shared/domain/ids";
import { generateApiKey } from "@sluice/shared/domain/api-key";
import { generateSigningSecret } from "@sluice/signature/secret";
import { endSettingsTurn, holdSettingsTurn } from "@sluice/store/configuration/settings-turn";

import { type Answer, pointersOf, storeKey, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a test asserts about it.
type Json = any;

const apply = (api: TestApi, configuration: object, options: object = {}, headers: Record<string, string> = {}) =>
  api.call("POST", "/v1/configuration:apply", { body: { configuration, ...options }, headers });
const read = async (api: TestApi, type: "sources" | "targets", name: string): Promise<Json> =>
  (await api.call("GET", `/v1/${type}/by-name/${name}`)).body;
const keyOf = async (api: TestApi, name: string): Promise<Json> =>
  (await api.call("GET", `/v1/keys?name=${name}`)).body.data[0];
const summary = ({ body }: Answer) => body.changes.map((each: Json) => `${each.action} ${each.type} ${each.name}`);

/** A configuration of names that no other test has. */
function makeConfiguration() {
  const name = `n${newId().replaceAll("-", "")}`;
  return {
    name,
    configuration: {
      managed_by: `${name}.yaml`,
      sources: [{ name, signing_secret: generateSigningSecret().text }],
      targets: [
        {
          name,
          uri: "http://127.0.0.1:9/hook",
          subscribed_events: ["batch.*"],
          headers: { authorization: "Bearer one" },
          signing_secret: generateSigningSecret().text,
        },
      ],
      keys: [{ name, scopes: ["read"], key: generateApiKey() }],
    },
  };
}

const changed = (configuration: ReturnType<typeof makeConfiguration>["configuration"], target: object) => ({
  ...configuration,
  targets: configuration.targets.map((each) => ({ ...each, ...target })),
});

describe("POST /v1/configuration:apply", () => {
  test("makes what is missing, marks it, and does nothing the second time", async ({ api }) => {
    const { name, configuration } = makeConfiguration();
    const first = await apply(api, configuration);
    expect(summary(first)).toEqual([`create source ${name}`, `create target ${name}`, `create key ${name}`]);
    expect(await read(api, "sources", name)).toMatchObject({ managed_by: `${name}.yaml` });
    const target = await read(api, "targets", name);
    expect(target).toMatchObject({ managed_by: `${name}.yaml`, headers: { authorization: "[redacted]" } });
    expect(await keyOf(api, name)).toMatchObject({ managed_by: `${name}.yaml`, scopes: ["read"] });
    const key = configuration.keys[0]?.key ?? "";
    expect((await api.call("GET", "/v1/targets", { key })).status).toBe(200);

    const audited = async () => (await api.call("GET", "/v1/audit?limit=1")).body.data[0].id;
    const before = await audited();
    expect((await apply(api, configuration)).body).toMatchObject({ changes: [], unchanged: 3, left: [] });
    expect(await audited()).toBe(before);
    expect(await read(api, "targets", name)).toEqual(target);
  });

  test("changes what differs and shows it without secrets; a dry run changes nothing", async ({ api }) => {
    const { name, configuration } = makeConfiguration();
    await apply(api, configuration);
    const wanted = changed(configuration, { max_in_flight: 7, headers: { authorization: "Bearer two" } });
    const dry = await apply(api, wanted, { dry_run: true });
    expect(dry.body).toMatchObject({
      dry_run: true,
      unchanged: 2,
      changes: [{ type: "target", name, action: "update", fields: [{ field: "max_in_flight", before: 64, after: 7 }] }],
    });
    expect(JSON.stringify(dry.body)).not.toContain("Bearer");
    expect((await read(api, "targets", name)).max_in_flight).toBe(64);
    expect((await apply(api, wanted)).body.changes).toEqual(dry.body.changes);
    expect((await read(api, "targets", name)).max_in_flight).toBe(7);
    const credential = changed(wanted, { headers: { authorization: "Bearer three" } });
    expect((await apply(api, credential)).body.changes).toEqual([
      { type: "target", name, action: "update", fields: [], changes_credential: true },
    ]);
  });

  test("leaves the state of a target alone, unless the file names it", async ({ api }) => {
    const { name, configuration } = makeConfiguration();
    await apply(api, configuration);
    const { id } = await read(api, "targets", name);
    // A managed target can be paused without force: the state is how it is, and not what it should be.
    expect((await api.call("POST", `/v1/targets/${id}:pause`)).status).toBe(200);
    await apply(api, changed(configuration, { max_in_flight: 8 }));
    expect(await read(api, "targets", name)).toMatchObject({ state: "paused", max_in_flight: 8 });
    await apply(api, changed(configuration, { state: "enabled" }));
    expect(await read(api, "targets", name)).toMatchObject({ state: "enabled" });
  });

  test("does not touch the breaker of a target that is as the file says", async ({ api }) => {
    const { name, configuration } = makeConfiguration();
    await apply(api, configuration);
    await api.db.pool.query(
      "INSERT INTO target_health (target_id, openings, open_until) SELECT id, 1, now() + interval '1 hour' FROM targets WHERE name = $1",
      [name],
    );
    await apply(api, configuration);
    expect((await read(api, "targets", name)).health.breaker).toBe("open");
  });

  test("finds every fault before anything is changed, and names it in the configuration", async ({ api }) => {
    const { name, configuration } = makeConfiguration();
    const faulty = {
      ...configuration,
      sources: [{ name, jwks_uri: "https://keys.example.com" }],
      targets: [
        ...changed(configuration, {}).targets,
        { name: `${name}-2`, uri: "http://169.254.169.254/", subscribed_events: ["*"] },
        { name: `${name}-3`, uri: "http://127.0.0.1:9/", subscribed_events: ["*"], retry: { cap_seconds: 1 } },
      ],
    };
    const answer = await apply(api, faulty);
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(pointersOf(answer)).toEqual([
      "/configuration/sources/0/jwks_uri",
      "/configuration/targets/1/uri",
      "/configuration/targets/2/retry/cap_seconds",
    ]);
    expect((await api.call("GET", `/v1/targets/by-name/${name}`)).status).toBe(404);
    const doubled = { ...configuration, keys: [...configuration.keys, ...configuration.keys] };
    expect(pointersOf(await apply(api, doubled))).toEqual(["/configuration/keys/1/name"]);
    expect(pointersOf(await apply(api, { ...configuration, targets: [{ name, url: "x" }] }))).toContain(
      "/configuration/targets/0/url",
    );
  });

  test("says what is left, and removes it with prune: only what this file manages", async ({ api }) => {
    const { name, configuration } = makeConfiguration();
    await apply(api, configuration);
    const other = makeConfiguration();
    await apply(api, other.configuration);
    await api.call("PUT", `/v1/targets/by-name/${name}-by-hand`, {
      body: { uri: "http://127.0.0.1:9/", subscribed_events: ["*"] },
    });
    const empty = { managed_by: configuration.managed_by };
    expect((await apply(api, empty)).body).toMatchObject({
      changes: [],
      left: [
        { type: "target", name },
        { type: "source", name },
        { type: "key", name },
      ],
    });
    expect(summary(await apply(api, empty, { prune: true, dry_run: true }))).toHaveLength(3);
    expect((await api.call("GET", `/v1/targets/by-name/${name}`)).status).toBe(200);
    expect(summary(await apply(api, empty, { prune: true }))).toEqual([
      `delete target ${name}`,
      `delete source ${name}`,
      `delete key ${name}`,
    ]);
    expect((await api.call("GET", `/v1/targets/by-name/${name}`)).status).toBe(404);
    expect(await keyOf(api, name)).toMatchObject({ state: "revoked" });
    for (const kept of [other.name, `${name}-by-hand`])
      expect((await api.call("GET", `/v1/targets/by-name/${kept}`)).status).toBe(200);
  });

  test("takes over what nobody manages, and what another file manages only by force", async ({ api }) => {
    const { name, configuration } = makeConfiguration();
    const [target] = configuration.targets;
    await api.call("PUT", `/v1/targets/by-name/${name}`, {
      body: { uri: target?.uri, subscribed_events: ["*"] },
    });
    expect(summary(await apply(api, configuration))).toContain(`update target ${name}`);
    const stolen = { ...configuration, managed_by: "thief.yaml" };
    const refused = await apply(api, stolen);
    expect(refused).toMatchObject({ status: 409, body: { code: "managed_by_file" } });
    expect(pointersOf(refused)).toEqual([
      "/configuration/sources/0/name",
      "/configuration/targets/0/name",
      "/configuration/keys/0/name",
    ]);
    expect((await apply(api, stolen, {}, { "sluice-force": "true" })).status).toBe(200);
    expect(await read(api, "targets", name)).toMatchObject({ managed_by: "thief.yaml" });
    await apply(api, { managed_by: "thief.yaml" }, { prune: true });
  });

  test("replaces a key whose text changed, and a signing secret with an overlap", async ({ api }) => {
    const { name, configuration } = makeConfiguration();
    await apply(api, configuration);
    const [key, secret] = [generateApiKey(), generateSigningSecret().text];
    const wanted = {
      ...changed(configuration, { signing_secret: secret }),
      keys: [{ name, scopes: ["read", "write"], key }],
    };
    expect(summary(await apply(api, wanted))).toEqual([`update target ${name}`, `update key ${name}`]);
    const secrets = (await read(api, "targets", name)).signing_secrets;
    expect(secrets.map((each: Json) => each.expire_time === null)).toEqual([false, true]);
    expect((await api.call("GET", "/v1/targets", { key })).status).toBe(200);
    const earlier = configuration.keys[0]?.key ?? "";
    expect((await api.call("GET", "/v1/targets", { key: earlier })).status).toBe(401);
    expect((await apply(api, wanted)).body).toMatchObject({ changes: [], unchanged: 3 });
    // The text of a revoked key would be stored twice.
    const back = await apply(api, { ...wanted, keys: configuration.keys });
    expect(pointersOf(back)).toEqual(["/configuration/keys/0/key"]);
  });

  test("is applied by one at a time, and needs the scope admin", async ({ api }) => {
    const { configuration } = makeConfiguration();
    const holder = newId();
    await holdSettingsTurn(api.db, holder);
    expect(await apply(api, configuration)).toMatchObject({ status: 503, body: { code: "unavailable" } });
    expect((await apply(api, configuration, { dry_run: true })).status).toBe(200);
    await endSettingsTurn(api.db, holder);
    const key = await storeKey(api, ["write"]);
    const body = { configuration };
    expect((await api.call("POST", "/v1/configuration:apply", { body, key })).status).toBe(403);
    const answers = await Promise.all([1, 2, 3].map(() => apply(api, configuration)));
    expect(answers.filter(({ status }) => status === 200).flatMap((each) => summary(each))).toHaveLength(3);
    for (const { status } of answers) expect([200, 503]).toContain(status);
  });
});

describe("a managed resource", () => {
  test("is changed by force only, in every way that the API has", async ({ api }) => {
    const { name, configuration } = makeConfiguration();
    await apply(api, configuration);
    const [source, target, key] = [
      await read(api, "sources", name),
      await read(api, "targets", name),
      await keyOf(api, name),
    ];
    const previous = { previous: "revoke_immediately" };
    const settings = { uri: "http://127.0.0.1:9/hook", subscribed_events: ["*"] };
    const calls: [string, string, object?][] = [
      ["PATCH", `/v1/sources/${source.id}`, { tolerance_seconds: 60 }],
      ["PUT", `/v1/sources/by-name/${name}`, {}],
      ["POST", `/v1/sources/${source.id}/signing-secrets`, previous],
      ["PATCH", `/v1/targets/${target.id}`, { max_in_flight: 3 }],
      ["PUT", `/v1/targets/by-name/${name}`, settings],
      ["POST", `/v1/targets/${target.id}:rotate-secret`, previous],
      ["DELETE", `/v1/sources/${source.id}`],
      ["DELETE", `/v1/targets/by-name/${name}`],
      ["POST", `/v1/keys/${key.id}:revoke`],
    ];
    for (const [method, path, body] of calls) {
      const refused = await api.call(method, path, { body });
      expect({ method, path, status: refused.status, code: refused.body.code }).toMatchObject({
        status: 409,
        code: "managed_by_file",
      });
      const unclear = await api.call(method, path, { body, headers: { "sluice-force": "yes" } });
      expect({ method, path, pointers: pointersOf(unclear) }).toMatchObject({ pointers: ["Sluice-Force"] });
    }
    expect(await read(api, "targets", name)).toEqual(target);
    const google = await api.call("DELETE", `/v1beta/webhooks/${target.id}`);
    expect(google.body.error.status).toBe("FAILED_PRECONDITION");
    for (const [method, path, body] of calls) {
      const forced = await api.call(method, path, { body, headers: { "sluice-force": "true" } });
      expect({ method, path, ok: forced.status < 300 }).toMatchObject({ ok: true });
    }
    // The file brings back what was changed and deleted by hand; the text of a revoked key it cannot.
    const again = await apply(api, { ...configuration, keys: [] });
    expect(summary(again)).toEqual([`create source ${name}`, `create target ${name}`]);
  });
});

describe("GET /v1/configuration", () => {
  test("is a configuration: with its placeholders replaced, it changes nothing", async ({ api }) => {
    const { name, configuration } = makeConfiguration();
    await apply(api, configuration);
    const { body } = await api.call("GET", "/v1/configuration");
    const own = (list: Json[]) => list.filter((each) => each.name === name);
    const [source, target, key] = [own(body.sources)[0], own(body.targets)[0], own(body.keys)[0]];
    const variable = name.toUpperCase();
    expect(source).toEqual({ name, signing_secret: `\${env:SLUICE_SOURCE_${variable}_SIGNING_SECRET}` });
    expect(target).toEqual({
      name,
      uri: "http://127.0.0.1:9/hook",
      subscribed_events: ["batch.*"],
      headers: { authorization: `\${env:SLUICE_TARGET_${variable}_HEADER_AUTHORIZATION}` },
      signing_secret: `\${env:SLUICE_TARGET_${variable}_SIGNING_SECRET}`,
    });
    expect(key).toEqual({ name, scopes: ["read"], key: `\${env:SLUICE_KEY_${variable}}` });
    const [givenTarget, givenSource, givenKey] = [
      configuration.targets[0],
      configuration.sources[0],
      configuration.keys[0],
    ];
    const filled = {
      managed_by: configuration.managed_by,
      sources: [{ ...source, signing_secret: givenSource?.signing_secret }],
      targets: [{ ...target, headers: givenTarget?.headers, signing_secret: givenTarget?.signing_secret }],
      keys: [{ ...key, key: givenKey?.key }],
    };
    expect((await apply(api, filled)).body).toMatchObject({ changes: [], unchanged: 3 });
    expect((await api.call("GET", "/v1/configuration", { key: await storeKey(api, ["write"]) })).status).toBe(403);
  });

  test("has a placeholder for the URL of a chat target, which a file sets as it sets any other", async ({ api }) => {
    const { configuration } = makeConfiguration();
    const uri = "https://hooks.slack.com/services/T0/B0/of-this-test";
    const chat = { name: "chat-of-the-file", kind: "slack", uri, subscribed_events: ["sluice.*"] };
    const given = { managed_by: configuration.managed_by, targets: [chat] };
    const made = await apply(api, given);
    expect(made.body.changes).toMatchObject([{ action: "create", type: "target" }]);
    expect(JSON.stringify(made.body)).not.toMatch(/new_signing_secret|of-this-test/);
    const { body } = await api.call("GET", "/v1/configuration");
    expect(body.targets.filter(({ name }: Json) => name === chat.name)).toEqual([
      { ...chat, uri: `\${env:SLUICE_TARGET_CHAT_OF_THE_FILE_URI}` },
    ]);
    expect((await apply(api, given)).body).toMatchObject({ changes: [], unchanged: 1 });
    const other = await apply(api, { ...given, targets: [{ ...chat, uri: `${uri}-2` }] });
    expect(other.body.changes).toMatchObject([{ action: "update", fields: [], changes_credential: true }]);
    const secret = await apply(api, { ...given, targets: [{ ...chat, signing_secret: generateSigningSecret().text }] });
    expect(pointersOf(secret)).toEqual(["/configuration/targets/0/signing_secret"]);
  });
});
