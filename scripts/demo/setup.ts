// What the demonstration needs in a relay: a source and a target of its own.

import { createHmac, createSecretKey, type KeyObject } from "node:crypto";

import type { Schemas } from "@sluice/client/client";

import type { RelayConnection } from "../relay/connection.ts";

/** The name of the demonstration's source and target. The relay itself gives nothing this name. */
export const DEMO = "sluice-demo";
/** The target gets the events of the demo's source only. It is found by its filter, because somebody may have its name. */
const FILTER = `source == "${DEMO}"`;

export interface DemoSetup {
  signingKey: KeyObject;
  targetId: string;
}

/** The signing secrets of the demonstration's source and target, as `whsec_…`. */
export interface DemoSecrets {
  source: string;
  target: string;
}

/** The secrets follow from the API key, so that no file has to keep them. Whoever has the API key may use the demo. */
export function deriveDemoSecrets(apiKey: string): DemoSecrets {
  const derive = (purpose: string) =>
    `whsec_${createHmac("sha256", apiKey).update(`sluice demo ${purpose}`).digest("base64")}`;
  return { source: derive("source"), target: derive("target") };
}

/**
 * Makes the source and the target where they are missing, and repairs them where they were changed. It touches nothing
 * that is not the demo's.
 *
 * @param receiverUrl where the relay's worker reaches the receiver.
 */
export async function ensureDemo(relay: RelayConnection, receiverUrl: string): Promise<DemoSetup> {
  const secrets = deriveDemoSecrets(relay.address.apiKey);
  await ensureSource(relay, secrets.source);
  const targetId = await ensureTarget(relay, receiverUrl, secrets.target);
  return { signingKey: createSecretKey(secrets.source.replace("whsec_", ""), "base64"), targetId };
}

async function ensureSource({ api }: RelayConnection, secret: string): Promise<void> {
  const source = await find(api.list("/v1/sources"), ({ name }) => name === DEMO);
  const body = { signing_secret: secret };
  if (source === undefined) await api.post("/v1/sources", { body: { name: DEMO, ...body } });
  else if (!hasSecret(source, secret))
    await api.patch("/v1/sources/{id}", { params: { path: { id: source.id } }, body });
}

async function ensureTarget({ api }: RelayConnection, uri: string, secret: string): Promise<string> {
  const wanted = { uri, state: "enabled" as const };
  let target = await find(api.list("/v1/targets"), ({ filter }) => filter === FILTER);
  if (target === undefined) {
    const isTaken = (await find(api.list("/v1/targets"), ({ name }) => name === DEMO)) !== undefined;
    // Without a name, the relay finds one that is free.
    const settings = { ...(!isTaken && { name: DEMO }), uri, subscribed_events: ["*"], filter: FILTER };
    target = await api.post("/v1/targets", { body: settings });
  } else if (target.uri !== wanted.uri || target.state !== wanted.state) {
    await api.patch("/v1/targets/{id}", { params: { path: { id: target.id } }, body: wanted });
  }
  if (!hasSecret(target, secret)) {
    const body = { secret, previous: "revoke_immediately" as const };
    await api.post("/v1/targets/{id}:rotate-secret", { params: { path: { id: target.id } }, body });
  }
  return target.id;
}

/** The API shows only the end of a secret. */
function hasSecret({ signing_secrets: shown }: Schemas["Source"] | Schemas["Target"], secret: string): boolean {
  return shown.some(({ truncated_secret: truncated }) => truncated.endsWith(secret.slice(-4)));
}

async function find<T>(list: AsyncIterable<T>, isWanted: (item: T) => boolean): Promise<T | undefined> {
  for await (const item of list) if (isWanted(item)) return item;
  return undefined;
}
