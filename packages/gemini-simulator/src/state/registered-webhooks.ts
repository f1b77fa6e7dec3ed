// The webhooks that are registered with WebhookService, with their secrets and their state.

import { randomBytes } from "node:crypto";

import type { SimulatorClock } from "../clock.ts";
import type { Seeded } from "../seeded.ts";

/** The live service refuses every other name, also those that the guide has. */
export const ACCEPTED_EVENTS = [
  "batch.succeeded",
  "batch.expired",
  "batch.failed",
  "interaction.requires_action",
  "interaction.completed",
  "interaction.failed",
  "video.generated",
] as const;

export const REGISTRATION_STATES = ["enabled", "disabled", "disabled_due_to_failed_deliveries"] as const;
export type RegistrationState = (typeof REGISTRATION_STATES)[number];

export interface RegisteredSecret {
  /** `whsec_…` */
  text: string;
  /** Undefined for the secret that was made last. */
  expiresAtMs: number | undefined;
}

export interface RegisteredWebhook {
  id: string;
  project: string;
  name: string | undefined;
  uri: string;
  subscribedEvents: string[];
  state: RegistrationState;
  /** The oldest first; with those that are expired. */
  secrets: RegisteredSecret[];
  /** How many deliveries in a row failed for the whole time of their retries. */
  failedInARow: number;
}

export type RegistrationFields = Pick<RegisteredWebhook, "name" | "uri" | "subscribedEvents">;

const SECRET_OVERLAP_MS = 24 * 3_600_000;
const SECRET_BYTES = 32;

export class RegisteredWebhooks {
  readonly #clock: SimulatorClock;
  readonly #seeded: Seeded;
  readonly #disableAfter: number;
  readonly #webhooks = new Map<string, RegisteredWebhook>();
  #created = 0;

  /** @param disableAfter so many failed deliveries in a row disable a webhook. */
  constructor(clock: SimulatorClock, seeded: Seeded, disableAfter: number) {
    this.#clock = clock;
    this.#seeded = seeded;
    this.#disableAfter = disableAfter;
  }

  create(project: string, fields: RegistrationFields): RegisteredWebhook {
    this.#created += 1;
    const webhook: RegisteredWebhook = {
      ...fields,
      id: this.#seeded.text(36, "webhook", this.#created),
      project,
      state: "enabled",
      secrets: [{ text: newSecret(), expiresAtMs: undefined }],
      failedInARow: 0,
    };
    this.#webhooks.set(webhook.id, webhook);
    return webhook;
  }

  /** Finds a webhook of a project; of any project when none is given. */
  find(id: string, project?: string): RegisteredWebhook | undefined {
    const webhook = this.#webhooks.get(id);
    return project === undefined || webhook?.project === project ? webhook : undefined;
  }

  /** In the order of their creation. */
  list(project?: string): RegisteredWebhook[] {
    return [...this.#webhooks.values()].filter((webhook) => project === undefined || webhook.project === project);
  }

  /** The enabled webhooks of a project that get events of a type. */
  subscribersOf(project: string, type: string): RegisteredWebhook[] {
    // Older documents say `batch.completed`. A registration only knows the new name.
    const name = type === "batch.completed" ? "batch.succeeded" : type;
    return this.list(project).filter(
      ({ state, subscribedEvents }) => state === "enabled" && subscribedEvents.includes(name),
    );
  }

  /** A webhook that is enabled again starts counting failures anew. */
  setState(webhook: RegisteredWebhook, state: RegistrationState): void {
    webhook.state = state;
    if (state === "enabled") webhook.failedInARow = 0;
  }

  delete(webhook: RegisteredWebhook): void {
    this.#webhooks.delete(webhook.id);
  }

  /** @returns the new secret, which nothing shows again. */
  rotate(webhook: RegisteredWebhook, previous: "end_after_24h" | "end_now"): string {
    const endMs = this.#clock.nowMs() + SECRET_OVERLAP_MS;
    const kept = previous === "end_now" ? [] : this.secretsOf(webhook);
    const text = newSecret();
    webhook.secrets = [
      // A secret that already ends keeps its end.
      ...kept.map((secret) => ({ ...secret, expiresAtMs: secret.expiresAtMs ?? endMs })),
      { text, expiresAtMs: undefined },
    ];
    return text;
  }

  /** The secrets that are valid now, the oldest first. */
  secretsOf(webhook: RegisteredWebhook): RegisteredSecret[] {
    const nowMs = this.#clock.nowMs();
    return webhook.secrets.filter(({ expiresAtMs }) => expiresAtMs === undefined || expiresAtMs > nowMs);
  }

  recordSuccess(webhook: RegisteredWebhook): void {
    webhook.failedInARow = 0;
  }

  /** Counts a delivery that failed for the whole time of its retries. */
  recordFailure(webhook: RegisteredWebhook): void {
    webhook.failedInARow += 1;
    if (webhook.state === "enabled" && webhook.failedInARow >= this.#disableAfter)
      this.setState(webhook, "disabled_due_to_failed_deliveries");
  }
}

/** Secrets do not follow from the seed: whoever knows the seed must not know them. */
function newSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString("base64")}`;
}
