// Registers the webhook of a source: finds it at Gemini by its URI or creates it, and sees that the source has its
// secret. It can be done again from the start at any time, which is how it goes on after a crash or a lost answer:
// whatever was created is found, and a secret that nobody knows is replaced by a rotation.

import { setTimeout as delay } from "node:timers/promises";

import { REGISTRABLE_EVENTS, type UpstreamWebhook, type WebhookChange } from "@sluice/gemini/webhooks";

import type { UpstreamIntent } from "../schema.ts";
import { pingUpstream } from "./upstream-ping.ts";
import { holdsCurrent, listHeldSecrets, storeUpstreamSecret } from "./upstream-secrets.ts";
import { beginStep, recordUpstreamChange, type UpstreamWork } from "./upstream-work.ts";
import { rotationAfter, saveUpstream } from "./upstreams.ts";

/** Other gateways learn of a new secret within half a second. A ping before that would be refused. */
const DEFAULT_SECRET_SPREADS_MS = 1_000;

export async function registerUpstream(
  work: UpstreamWork,
  { uri, subscribed_events: wanted }: Extract<UpstreamIntent, { kind: "register" }>,
): Promise<void> {
  const { dependencies, claim, row } = work;
  const { db, secretSpreadsMs = DEFAULT_SECRET_SPREADS_MS } = dependencies;
  const existing = await findRegistered(work, uri);
  const { id, subscribedEvents, isSecretNew } =
    existing === undefined ? await create(work, uri, wanted) : await adopt(work, existing, wanted);
  await db.orm.transaction(async (orm) => {
    const tx = { orm };
    const registered = { webhookId: id, uri, subscribedEvents };
    // A webhook that was there before keeps the time of its rotation.
    const nextRotation = row.nextRotationAt === null && { nextRotationAt: rotationAfter(row.rotateEveryDays) };
    await saveUpstream(tx, claim, { ...registered, ...nextRotation, intent: null });
    const after = { webhook_id: id, uri, subscribed_events: subscribedEvents };
    await recordUpstreamChange(tx, work, "source.upstream_registered", { after });
  });
  work.row = { ...row, webhookId: id, uri, subscribedEvents, intent: null };
  if (isSecretNew) await delay(secretSpreadsMs);
  await pingUpstream(work, id);
}

async function findRegistered(work: UpstreamWork, uri: string): Promise<UpstreamWebhook | undefined> {
  const { dependencies, claim, row, webhooks, steps, warnings } = work;
  await beginStep(work, "find");
  const found = await webhooks.listByUri(uri);
  if (found.length > 1) {
    const ids = found.map(({ id }) => id).join(", ");
    const detail = `Gemini has ${found.length} webhooks for this address (${ids}), and sends each event once for each. Delete the others.`;
    warnings.push({ code: "several_webhooks", detail });
  }
  const held = await listHeldSecrets(dependencies.db, claim.sourceId);
  const chosen =
    found.find(({ id }) => id === row.webhookId) ?? found.find((webhook) => holdsCurrent(webhook, held)) ?? found[0];
  if (chosen !== undefined) steps.push({ step: "found", detail: `The webhook ${chosen.id} has this address already` });
  return chosen;
}

interface RegisteredAtGemini {
  id: string;
  subscribedEvents: string[];
  isSecretNew: boolean;
}

async function create(work: UpstreamWork, uri: string, wanted: string[] | null): Promise<RegisteredAtGemini> {
  const { webhooks, sourceName, steps } = work;
  await beginStep(work, "create");
  const subscribedEvents = wanted ?? [...REGISTRABLE_EVENTS];
  const { webhook, secret } = await webhooks.create({ name: `sluice-${sourceName}`, uri, subscribedEvents });
  steps.push({ step: "created", detail: `Gemini made the webhook ${webhook.id}` });
  if (secret === undefined) await rotateUnknown(work, webhook.id);
  else await storeSecret(work, secret);
  return { id: webhook.id, subscribedEvents, isSecretNew: true };
}

/**
 * Takes over a webhook that exists: it gets a secret that the source knows, is enabled, and gets the events that were
 * asked for.
 */
async function adopt(
  work: UpstreamWork,
  webhook: UpstreamWebhook,
  wanted: string[] | null,
): Promise<RegisteredAtGemini> {
  const { dependencies, claim, webhooks, steps } = work;
  const { id } = webhook;
  const isKnown = holdsCurrent(webhook, await listHeldSecrets(dependencies.db, claim.sourceId));
  if (!isKnown) await rotateUnknown(work, id);
  const change: WebhookChange = {
    ...(webhook.state !== "enabled" && { state: "enabled" as const }),
    ...(wanted !== null && !haveSame(wanted, webhook.subscribedEvents) && { subscribedEvents: wanted }),
  };
  if (Object.keys(change).length > 0) {
    await beginStep(work, "update");
    await webhooks.update(id, change);
    steps.push({ step: "updated", detail: `Set ${Object.keys(change).map(toField).join(" and ")} of the webhook` });
  }
  return { id, subscribedEvents: wanted ?? webhook.subscribedEvents, isSecretNew: !isKnown };
}

const toField = (name: string) => (name === "subscribedEvents" ? "subscribed_events" : name);

const haveSame = (one: readonly string[], other: readonly string[]) =>
  one.length === other.length && one.every((event) => other.includes(event));

/** The secret of the webhook is known to nobody here, or its answer was lost. Only a rotation shows one. */
async function rotateUnknown(work: UpstreamWork, webhookId: string): Promise<void> {
  await beginStep(work, "rotate");
  const secret = await work.webhooks.rotate(webhookId);
  work.steps.push({
    step: "rotated",
    detail: "The source did not have the secret of the webhook, so Gemini made another",
  });
  await storeSecret(work, secret);
}

async function storeSecret(work: UpstreamWork, secret: string | undefined): Promise<void> {
  const { dependencies, claim, steps } = work;
  await dependencies.db.orm.transaction(async (orm) => {
    await storeUpstreamSecret(orm, work, secret);
    await saveUpstream({ orm }, claim);
  });
  steps.push({ step: "secret_stored", detail: "The source has the new signing secret, encrypted" });
  await dependencies.sourcesChanged();
}
