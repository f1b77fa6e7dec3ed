// One new event, as Gemini sends it when a batch job is done.

import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

import { signV1 } from "@sluice/signature/signing/v1";

import type { Answer, RelayConnection } from "../relay/connection.ts";
import { DEMO, type DemoSetup } from "./setup.ts";

const EVENT_TYPE = "batch.succeeded";
/** A gateway that did not make the source itself learns of it within seconds. */
const UNKNOWN_SOURCE_LIMIT_MS = 5_000;

export interface SentEvent {
  webhookId: string;
  answer: Answer;
}

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
