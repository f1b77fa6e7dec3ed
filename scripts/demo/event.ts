// What the demonstration needs in a relay, a source and a target of its own, and an event as Gemini sends it.

import { createHmac, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { signV1 } from "@sluice/signature/signing/v1";

import { type Answer, listAll, type RelayConnection } from "../relay/connection.ts";

/** The name of the source and of the target. A relay's own are not named so. */
export const DEMO = "sluice-demo";
/** The demo's target gets the demo's events alone. It also tells it from another target of this name. */
const FILTER = `source == "${DEMO}"`;
const EVENT_TYPE = "batch.succeeded";
/** A gateway that did not make the source itself reads it within seconds. */
const UNKNOWN_SOURCE_LIMIT_MS = 5_000;

export interface DemoSetup {
  signingKey: KeyObject;
  targetId: string;
}

export interface SentEvent {
  webhookId: string;
  answer: Answer;
}

interface Source {
  id: string;
  name: string;
  signing_secrets: { truncated_secret: string }[];
}

interface Target {
  id: string;
  name: string;
  uri: string;
  state: string;
  filter: string | null;
}

/** Makes what is missing and repairs what was changed; touches nothing that is not the demo's. */
export async function ensureDemo(relay: RelayConnection): Promise<DemoSetup> {
  // Derived, so that no file has to keep it: whoever has the API key may use the demo.
  const signingKey = createHmac("sha256", relay.address.apiKey).update("sluice demo source").digest();
  const secret = `whsec_${signingKey.toString("base64")}`;
  const source = await find<Source>(relay, "/v1/sources", ({ name }) => name === DEMO);
  if (source === undefined) await relay.api("POST", "/v1/sources", { name: DEMO, signing_secret: secret });
  else if (!source.signing_secrets.some(({ truncated_secret: shown }) => shown.endsWith(secret.slice(-4))))
    await relay.api("PATCH", `/v1/sources/${source.id}`, { signing_secret: secret });

  const wanted = { uri: relay.address.echoUrl, state: "enabled" };
  let target = await find<Target>(relay, "/v1/targets", ({ name, filter }) => name === DEMO && filter === FILTER);
  if (target === undefined) {
    const settings = { name: DEMO, uri: wanted.uri, subscribed_events: ["*"], filter: FILTER };
    target = await relay.api<Target>("POST", "/v1/targets", settings);
  } else if (target.uri !== wanted.uri || target.state !== wanted.state) {
    await relay.api("PATCH", `/v1/targets/${target.id}`, wanted);
  }
  return { signingKey: createSecretKey(signingKey), targetId: target.id };
}

async function find<T>(relay: RelayConnection, path: string, isWanted: (item: T) => boolean): Promise<T | undefined> {
  for await (const item of listAll<T>(relay, path)) if (isWanted(item)) return item;
  return undefined;
}

/** Sends one new event, as Gemini does when a batch job is done. */
export async function sendDemoEvent(relay: RelayConnection, setup: DemoSetup): Promise<SentEvent> {
  const webhookId = `msg_${randomBytes(16).toString("hex")}`;
  const batchId = `batch_${randomBytes(6).toString("hex")}`;
  const body = Buffer.from(
    JSON.stringify({
      type: EVENT_TYPE,
      version: "v1",
      timestamp: new Date().toISOString(),
      data: { id: batchId, output_file_uri: `gs://sluice-demo/${batchId}/results.jsonl` },
      user_metadata: { job: "nightly-summaries", team: "demo" },
    }),
  );
  for (const deadlineMs = Date.now() + UNKNOWN_SOURCE_LIMIT_MS; ; await delay(100)) {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const answer = await relay.ingress(
      `/in/${DEMO}`,
      {
        "content-type": "application/json",
        "webhook-id": webhookId,
        "webhook-timestamp": timestamp,
        "webhook-signature": signV1(setup.signingKey, webhookId, timestamp, body),
      },
      body,
    );
    if (answer.status !== 404 || Date.now() > deadlineMs) return { webhookId, answer };
  }
}
