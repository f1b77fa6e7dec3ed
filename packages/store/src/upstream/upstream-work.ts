// What every piece of work on the webhook of a source needs: its claim, Gemini's WebhookService with the key of the
// source, and the steps that it made.

import { formatId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { Secret } from "@sluice/shared/settings/secret";
import { type GeminiWebhooks, openGeminiWebhooks } from "@sluice/gemini/webhooks";

import { listSourcesWithKey } from "../configuration/gemini-keys.ts";
import { sourceNotFound } from "../configuration/rotation.ts";
import type { Connection, Database } from "../connection/database.ts";
import { type AuditedChange, type Author, recordChange } from "../requests/audit.ts";
import { spendGeminiRequest } from "./request-budget.ts";
import type { AuditAction } from "../requests/audit-actions.ts";
import { getUpstream, saveUpstream, type UpstreamClaim, type UpstreamRow } from "./upstreams.ts";

/** Looks for jobs of a source whose events are missing since a time, milliseconds since 1970. */
export type ReconcileNow = (sourceId: string, sinceMs: number) => Promise<void>;

export interface UpstreamDependencies {
  db: Database;
  masterKey: MasterKey;
  /** `GEMINI_API_KEY` */
  geminiApiKey: Secret<string> | undefined;
  geminiBaseUrl: string;
  geminiRequestsPerHour: number;
  /** Resolves when this process verifies by the changed secrets. */
  sourcesChanged: () => Promise<void>;
  /** Wakes the lane of a target that has a new delivery. */
  wakeTarget: (targetId: string) => void;
  reconcileNow: ReconcileNow;
  /** How long a ping may take to arrive in the log; 20 s when not given. */
  seenLimitMs?: number;
  /** How long other gateways may take to know a new secret; a second when not given. */
  secretSpreadsMs?: number;
  log: Logger;
}

/** One step that was made, in the words of the answer. */
export interface UpstreamStep {
  step:
    | "found"
    | "created"
    | "rotated"
    | "updated"
    | "secret_stored"
    | "enabled"
    | "pinged"
    | "event_seen"
    | "checked"
    | "reconciled";
  detail: string;
}

/** What does not work, although the work itself is done. */
export interface UpstreamWarning {
  code: "several_webhooks" | "ping_failed" | "ping_not_seen" | "not_checked" | "not_reconciled";
  detail: string;
}

export interface UpstreamWork {
  dependencies: UpstreamDependencies;
  claim: UpstreamClaim;
  /** As it was when the work began. */
  row: UpstreamRow;
  sourceName: string;
  webhooks: GeminiWebhooks;
  /** Who asked for it, in the audit trail. */
  author: Author;
  steps: UpstreamStep[];
  warnings: UpstreamWarning[];
}

/** The author of what a worker does by itself. */
export const RELAY_AUTHOR: Author = { keyId: null, keyName: "the relay itself", remoteAddress: null, requestId: "" };

export const keyMissing = () =>
  new SluiceError("upstream_not_configured", "The source has no key of the Gemini API: set its gemini_api_key", {
    faults: [{ pointer: "gemini_api_key", detail: "is not set" }],
  });

/** @throws SluiceError `upstream_not_configured` without a key, and `not_found`. */
export async function openUpstreamWork(
  dependencies: UpstreamDependencies,
  claim: UpstreamClaim,
  author: Author,
): Promise<UpstreamWork> {
  const { db, masterKey, geminiApiKey, geminiBaseUrl, geminiRequestsPerHour } = dependencies;
  const row = await getUpstream(db, claim.sourceId);
  if (row === undefined) throw sourceNotFound();
  const [source] = await listSourcesWithKey(db, masterKey, geminiApiKey, claim.sourceId);
  if (source === undefined) throw keyMissing();
  const webhooks = await openGeminiWebhooks(source.key, {
    baseUrl: geminiBaseUrl,
    spend: () => spendGeminiRequest(db, source.keyId, geminiRequestsPerHour),
  });
  return { dependencies, claim, row, sourceName: source.sourceName, webhooks, author, steps: [], warnings: [] };
}

/** Writes down what comes next and renews the claim. MUST be called before each request that changes something. */
export async function beginStep(work: UpstreamWork, step: string): Promise<void> {
  const { intent } = work.row;
  const changes = intent === null ? {} : { intent: { ...intent, step } };
  await saveUpstream(work.dependencies.db, work.claim, changes);
}

/** Writes an entry of the audit trail for a change of the source. */
export async function recordUpstreamChange(
  tx: Connection,
  { author, claim }: Pick<UpstreamWork, "author" | "claim">,
  action: AuditAction,
  change: Pick<AuditedChange, "before" | "after"> = {},
): Promise<void> {
  await recordChange(tx, author, { action, resourceId: formatId("src", claim.sourceId), ...change });
}
