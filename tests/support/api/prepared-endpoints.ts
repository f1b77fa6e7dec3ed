// Makes what an endpoint of the document needs to succeed: the resources that its path names, in the state that it wants.

import type { SetAsideStore } from "@sluice/queue/queue";
import { formatId, newId } from "@sluice/shared/domain/ids";
import { Secret } from "@sluice/shared/settings/secret";
import { insertRejections } from "@sluice/store/log/rejections";

import { type DescribedEndpoint, schemasOf } from "./described-endpoints.ts";
import { recordAttempt, seedEvent, type TestApi } from "./test-api.ts";
import { makeUpstreamSource, openUpstreamApi, UPSTREAM_KEY } from "./upstream-api.ts";

/** What to send to an endpoint: a value for each part of the path, and a body where the example cannot work. */
export interface PreparedRequest {
  parts: Record<string, string>;
  body?: object;
}

const URI = "http://127.0.0.1:9/hook";
/** The id of the one event in {@link fullSetAside}. */
const SET_ASIDE = "redis-1";

/** A store of set-aside events that always has one, whatever is done to it. */
const fullSetAside: SetAsideStore = {
  store: "redis",
  count: async () => 1,
  positions: async (before) => (before.failedAtMs > 1 ? [{ id: "1", failedAtMs: 1 }] : []),
  read: async () => ({ id: "1", failedAtMs: 1, data: "{}", error: "it cannot be stored", starts: 5 }),
  retry: async () => true,
  discard: async () => true,
};

/** An API in which every endpoint can succeed: with Gemini simulated, and a worker that makes each test of a target at once. */
export async function openPreparedApi(given: TestApi): Promise<TestApi> {
  const api: TestApi = await openUpstreamApi(given, {
    setAside: [fullSetAside],
    geminiApiKey: new Secret(UPSTREAM_KEY),
    testTarget: (_, deliveryId) => recordAttempt(api, deliveryId, { status: "succeeded" }, { statusCode: 200 }),
  });
  return api;
}

let made = 0;

export async function prepareEndpoint(
  api: TestApi,
  { operationId = "", path, parameters = [] }: DescribedEndpoint,
): Promise<PreparedRequest> {
  const post = async (to: string, body: object) => {
    const answer = await api.call("POST", to, { body });
    if (answer.status >= 300) throw new Error(`POST ${to}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const name = `prepared-${++made}`;
  const makeTarget = async (fields: object = {}): Promise<string> =>
    (await post("/v1/targets", { name, uri: URI, subscribed_events: ["*"], ...fields })).id;
  const makeSource = async (fields: object = {}): Promise<string> =>
    (await post("/v1/sources", { name, ...fields })).id;
  const seedDelivery = async () => {
    const target = await makeTarget();
    const { rows } = await api.db.pool.query<{ id: string }>("SELECT id FROM targets WHERE name = $1", [name]);
    const { deliveryIds } = await seedEvent(api, [rows[0]?.id ?? ""]);
    await recordAttempt(api, deliveryIds[0] ?? "", { status: "exhausted" });
    return (await api.call("GET", `/v1/deliveries?target=${target}`)).body.data[0] as { id: string; event: string };
  };
  const makePendingDelivery = async () => {
    const target = await makeTarget();
    await post("/v1/events", { type: "batch.succeeded", data: { id: name } });
    return (await api.call("GET", `/v1/deliveries?target=${target}`)).body.data[0].id as string;
  };

  const makers: Record<string, () => Promise<string>> = {
    src: makeSource,
    tgt: makeTarget,
    evt: async () => (await seedDelivery()).event,
    dlv: async () => (await seedDelivery()).id,
    att: async () => {
      const { id } = await seedDelivery();
      return (await api.call("GET", `/v1/attempts?delivery=${id}`)).body.data[0].id;
    },
    key: async () => (await post("/v1/keys", { name, scopes: ["read"] })).id,
    opr: async () => (await post("/v1/deliveries:cancel", { data_id: name })).id,
    job: async () => {
      const source = await makeSource({ gemini_api_key: UPSTREAM_KEY });
      return (await post("/v1/jobs", { kind: "interaction", name, source })).id;
    },
    rej: async () => {
      const rejected = { sourceId: api.geminiId, reason: "too_large", detail: name, weight: 1 } as const;
      const id = newId();
      await insertRejections(api.db, [{ ...rejected, id, webhookId: null, remoteAddress: null, sizeBytes: null }]);
      return formatId("rej", id);
    },
    aud: async () => {
      await makeTarget();
      return (await api.call("GET", "/v1/audit?limit=1")).body.data[0].id;
    },
  };
  const makeNamed = async () => {
    const isTarget = path.startsWith("/v1/targets/");
    await (isTarget ? makeTarget() : makeSource());
    return { parts: { name } };
  };
  const makePull = () => makeTarget({ kind: "pull", uri: undefined });
  const makeDynamic = async () => ({ parts: { id: await makeSource({ kind: "dynamic" }) } });
  const special: Record<string, () => Promise<PreparedRequest>> = {
    resumeTarget: async () => ({ parts: { id: await makeTarget({ state: "paused" }) } }),
    cancelDelivery: async () => ({ parts: { id: await makePendingDelivery() } }),
    createSourceIngressToken: makeDynamic,
    createSourceCallbackUrl: makeDynamic,
    deleteSourceIngressToken: async () => {
      const { parts } = await makeDynamic();
      const { id } = await post(`/v1/sources/${parts.id}/ingress-tokens`, {});
      return { parts: { ...parts, token_id: id } };
    },
    updateJob: async () => {
      const source = await makeSource({ kind: "dynamic", gemini_api_key: UPSTREAM_KEY });
      const { job } = await post(`/v1/sources/${source}/callback-urls`, { labels: {}, job: { kind: "interaction" } });
      return { parts: { id: job } };
    },
    // These examples name a target that nobody has.
    createEvent: async () => ({
      parts: {},
      body: { type: "batch.succeeded", data: { id: "batch_1" }, targets: [await makeTarget()] },
    }),
    pullTarget: async () => ({ parts: { id: await makePull() } }),
    ackTarget: async () => ({ parts: { id: await makePull() } }),
    extendTarget: async () => ({ parts: { id: await makePull() } }),
    replayEvents: async () => ({ parts: {}, body: { targets: [await makeTarget()], all: true, dry_run: true } }),
  };
  const own = special[operationId];
  if (own !== undefined) return own();
  if (path.includes("{name}")) return makeNamed();
  if (path.includes("/upstream")) {
    const source = await makeUpstreamSource(api);
    if (!path.endsWith(":register")) await post(`${source.path}:register`, {});
    return { parts: { id: source.id } };
  }
  const [inPath] = parameters.filter((parameter) => parameter.in === "path");
  if (inPath === undefined) return { parts: {} };
  const [prefix = ""] = schemasOf(inPath).flatMap(
    ({ schema: { pattern = "" } }) => /^\^([a-z]{3})_/.exec(pattern)?.[1] ?? [],
  );
  const make = makers[prefix];
  return { parts: { [inPath.name]: make === undefined ? SET_ASIDE : await make() } };
}
