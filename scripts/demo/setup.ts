// What the demonstration needs in a relay: a source and a target of its own.

import { createHmac, createSecretKey, type KeyObject } from "node:crypto";

import { listAll, type RelayConnection } from "../relay/connection.ts";

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

interface WithSecrets {
  signing_secrets: { truncated_secret: string }[];
}

interface Source extends WithSecrets {
  id: string;
  name: string;
}

interface Target extends WithSecrets {
  id: string;
  name: string;
  uri: string;
  state: string;
  filter: string | null;
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

async function ensureSource(relay: RelayConnection, secret: string): Promise<void> {
  const source = await find<Source>(relay, "/v1/sources", ({ name }) => name === DEMO);
  if (source === undefined) await relay.api("POST", "/v1/sources", { name: DEMO, signing_secret: secret });
  else if (!hasSecret(source, secret)) await relay.api("PATCH", `/v1/sources/${source.id}`, { signing_secret: secret });
}

async function ensureTarget(relay: RelayConnection, uri: string, secret: string): Promise<string> {
  const wanted = { uri, state: "enabled" };
  let target = await find<Target>(relay, "/v1/targets", ({ filter }) => filter === FILTER);
  if (target === undefined) {
    const isTaken = (await find<Target>(relay, "/v1/targets", ({ name }) => name === DEMO)) !== undefined;
    // Without a name, the relay finds one that is free.
    const settings = { ...(!isTaken && { name: DEMO }), uri, subscribed_events: ["*"], filter: FILTER };
    target = await relay.api<Target>("POST", "/v1/targets", settings);
  } else if (target.uri !== wanted.uri || target.state !== wanted.state) {
    await relay.api("PATCH", `/v1/targets/${target.id}`, wanted);
  }
  if (!hasSecret(target, secret)) {
    await relay.api("POST", `/v1/targets/${target.id}:rotate-secret`, { secret, previous: "revoke_immediately" });
  }
  return target.id;
}

/** The API shows only the end of a secret. */
function hasSecret({ signing_secrets: shown }: WithSecrets, secret: string): boolean {
  return shown.some(({ truncated_secret: truncated }) => truncated.endsWith(secret.slice(-4)));
}

async function find<T>(relay: RelayConnection, path: string, isWanted: (item: T) => boolean): Promise<T | undefined> {
  for await (const item of listAll<T>(relay, path)) if (isWanted(item)) return item;
  return undefined;
}
