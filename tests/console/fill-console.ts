// A relay as a team has it after a busy hour: targets that are well and one that is down, events of every kind, refused
// requests, a bulk operation, keys. Every screen then has something to show.

import type { Receiver } from "../support/receiver.ts";
import type { Relay } from "../support/relay.ts";
import { until } from "../support/wait.ts";

const TYPES = ["batch.succeeded", "batch.succeeded", "batch.failed", "interaction.completed", "video.generated"];
const EVENTS = 40;

const HEADER_VALUE = "Bearer s3cret";
const GEMINI_KEY = "AIzaSy-not-a-real-key";
const SIGNING_SECRET = `whsec_${"Zm9v".repeat(8)}`;
/** What the relay keeps and no screen shows. */
export const STORED_SECRETS: readonly string[] = [HEADER_VALUE, GEMINI_KEY, SIGNING_SECRET];

/** The page of each kind of thing, as a path of the console. */
export type FilledConsole = Record<
  "event" | "delivery" | "target" | "source" | "operation" | "audit" | "job" | "rejection" | "key",
  string
>;

export async function fillConsole(relay: Relay, receiver: Receiver): Promise<FilledConsole> {
  receiver.answerWith(({ path }) => {
    if (path.startsWith("/search")) return { status: 503, body: '{"error":"the index is being rebuilt"}' };
    if (path.startsWith("/media")) return { status: 422, body: "no such asset" };
    return { status: 200, body: '{"ok":true}', headers: { "content-type": "application/json" } };
  });
  const [base] = receiver.url.split(/(?<=\d)\//);
  const create = (name: string, path: string, changes: object) =>
    relay.createTarget(receiver, { name, uri: `${base}${path}`, ...changes });
  const billing = await create("billing", "/billing/gemini", {
    retry: { base_seconds: 5, cap_seconds: 3_600, horizon_seconds: 86_400 },
    subscribed_events: ["batch.*"],
    filter: 'event.type != "batch.expired"',
    headers: { authorization: HEADER_VALUE, "x-team": "billing" },
    rate_limit: { requests: 50, per_seconds: 1 },
  });
  await create("search-index", "/search", { retry: { base_seconds: 5, cap_seconds: 600, horizon_seconds: 86_400 } });
  await create("media-pipeline", "/media", {
    subscribed_events: ["video.generated"],
    retry: { base_seconds: 0.1, cap_seconds: 0.1, horizon_seconds: 1 },
  });
  await create("analytics", "/analytics", { state: "paused" });
  const source = await relay.call("POST", "/v1/sources", {
    name: "gemini-eu",
    signing_secret: SIGNING_SECRET,
    gemini_api_key: GEMINI_KEY,
  });
  await relay.call("POST", "/v1/keys", { name: "deploy pipeline", scopes: ["write"] });
  const { id: revoked } = await relay.call("POST", "/v1/keys", { name: "old laptop", scopes: ["read"] });
  await relay.call("POST", `/v1/keys/${revoked}:revoke`);
  const job = await relay.call("POST", "/v1/jobs", {
    kind: "batch",
    name: "batches/nightly-report",
    source: source.id,
    expect_within_seconds: 7_200,
    labels: { team: "billing" },
  });

  for (let index = 0; index < EVENTS; index++) {
    const type = TYPES[index % TYPES.length] ?? "batch.succeeded";
    await relay.sendEvent({
      body: Buffer.from(
        JSON.stringify({
          type,
          version: "v1",
          timestamp: new Date().toISOString(),
          data: { id: `batches/report-${100 + index}`, output_file_uri: `gs://reports/${100 + index}.jsonl` },
          user_metadata: { customer: `c-${1000 + index}`, tier: index % 3 === 0 ? "gold" : "basic" },
        }),
      ),
    });
  }
  for (let tries = 0; tries < 3; tries++) {
    await fetch(`${relay.ingressUrl}/in/gemini`, {
      method: "POST",
      body: "{}",
      headers: { "webhook-id": `msg_${tries}` },
    });
  }
  const first = async (path: string) => (await relay.call("GET", path)).data[0];
  const exhausted = await until(() => first("/v1/deliveries?status=exhausted"), {
    accept: (found) => found !== undefined,
  });
  const failing = await until(() => first("/v1/deliveries?status=pending&min_attempts=1"), {
    accept: (found) => found !== undefined,
  });
  const operation = await relay.call("POST", "/v1/deliveries:retry", { status: ["exhausted"] });
  await until(() => relay.call("GET", `/v1/operations/${operation.id}`), {
    accept: ({ state }) => state !== "running",
  });
  const rejection = await until(() => first("/v1/rejections"), { accept: (found) => found !== undefined });
  const audit = await first("/v1/audit?action=target.created");
  return {
    event: `/events/${failing.event}`,
    delivery: `/deliveries/${exhausted.id}`,
    target: `/targets/${billing.id}`,
    source: `/sources/${source.id}`,
    operation: `/operations/${operation.id}`,
    audit: `/audit/${audit.id}`,
    job: `/jobs/${job.id}`,
    rejection: `/rejections/${rejection.id}`,
    key: `/keys/${revoked}`,
  };
}

/** Every screen by a name, with the heading that says it is there. */
export function screensOf(filled: FilledConsole): readonly (readonly [name: string, path: string])[] {
  return [
    ["overview", "/"],
    ["events", "/events"],
    ["event", filled.event],
    ["deliveries", "/deliveries"],
    ["delivery", filled.delivery],
    ["live", "/live"],
    ["rejections", "/rejections"],
    ["rejection", filled.rejection],
    ["targets", "/targets"],
    ["target", filled.target],
    ["new-target", "/targets/new"],
    ["edit-target", `${filled.target}/edit`],
    ["sources", "/sources"],
    ["source", filled.source],
    ["new-source", "/sources/new"],
    ["jobs", "/jobs"],
    ["job", filled.job],
    ["keys", "/keys"],
    ["key", filled.key],
    ["operations", "/operations"],
    ["operation", filled.operation],
    ["set-aside", "/set-aside"],
    ["audit", "/audit"],
    ["audit-entry", filled.audit],
    ["system", "/system"],
  ];
}
