// Targets: internal URLs with their subscriptions. Reads and writes their rows; targets-part.ts makes what a worker
// holds in memory.

import { isDeepStrictEqual } from "node:util";

import { and, asc, desc, eq, getTableColumns, gt, inArray, isNotNull, ne, or, type SQL, sql } from "drizzle-orm";

import type { Filter } from "@sluice/filter/compile";
import { newId } from "@sluice/shared/domain/ids";
import { isChatKind, type TargetKind } from "@sluice/shared/domain/target-kinds";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { HmacKey, SigningSecret } from "@sluice/signature/secret";

import type { Connection, Transaction } from "../connection/database.ts";
import { ALL, type Page, withinPage } from "../log/page.ts";
import { type LostSecretKind, targetHealth, targetPulls, type TargetState, targets, targetSecrets } from "../schema.ts";
import { openChatUrl, sealChatUrl } from "./chat-url.ts";
import { FilterCache } from "./filter-cache.ts";
import { isReferred, type Reference, requireName, type TakenName, withName } from "./names.ts";
import { type Previous, retireSecrets } from "./rotation.ts";
import { sealSecret, type SecretRow } from "./secrets.ts";
import { lostOf, requireNothingLost } from "./lost-secrets.ts";
import { openTls, sealTls, type TargetTls } from "./target-tls.ts";

/** The values of headers by their names, as their operator wrote them. */
export type TargetHeaders = Record<string, string>;

export interface TargetSettings {
  name: string;
  /** Never changes. */
  kind: TargetKind;
  /** The origin alone, where the URL is a secret: see `chatUrl`. PULL_URI for a pull target. */
  uri: string;
  /** The whole URL of a chat target; null for an `http` target. */
  chatUrl: string | null;
  subscribedEvents: string[];
  state: TargetState;
  headers: TargetHeaders;
  /** The limit of one attempt, up to the end of the response's body. */
  timeoutSeconds: number;
  /** The most requests at once, of all workers together. */
  maxInFlight: number;
  /** The most requests in {@link rateLimitSeconds}, of all workers together. Null for no limit; then both are. */
  rateLimitRequests: number | null;
  rateLimitSeconds: number | null;
  retryBaseSeconds: number;
  retryCapSeconds: number;
  retryHorizonSeconds: number;
  /** A CEL expression: see `compileFilter`. Null matches every event of the subscription. */
  filter: string | null;
  /** Null for what TLS does without settings. */
  tls: TargetTls | null;
  /** For how long nobody may pull before the relay deletes a pull target; null for ever. */
  deleteAfterIdleSeconds: number | null;
  /** The file of settings that manages the target; null for none. */
  managedBy: string | null;
}

/** The part of a target that decides which events it gets. */
export interface Subscriber extends Pick<TargetSettings, "state" | "subscribedEvents" | "retryHorizonSeconds"> {
  id: string;
  filter: Filter | null;
}

/** A target with everything that delivering to it needs. */
export interface Target extends Omit<TargetSettings, "filter">, Subscriber {
  hmacKeys: HmacKey[];
  filter: Filter | null;
}

/** The health of a target: see target-health.ts. */
export type TargetHealth = typeof targetHealth.$inferSelect;

export interface TargetRecord extends TargetSettings {
  id: string;
  /** Why the relay disabled the target; null when its operator set the state. */
  stateReason: string | null;
  stateChangedAt: Date;
  secrets: SecretRow[];
  /** What it lacks since the master key was lost. */
  lost: LostSecretKind[];
  /** Null until the first attempt, and for a pull target. */
  health: TargetHealth | null;
  /** To the minute; null until the first pull. */
  lastPulledAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

export const TARGET_DEFAULTS = {
  kind: "http",
  chatUrl: null,
  state: "enabled",
  headers: {},
  timeoutSeconds: 20,
  maxInFlight: 64,
  rateLimitRequests: null,
  rateLimitSeconds: null,
  retryBaseSeconds: 5,
  retryCapSeconds: 3_600,
  // Google gives up after 24 hours too.
  retryHorizonSeconds: 86_400,
  filter: null,
  tls: null,
  deleteAfterIdleSeconds: null,
  managedBy: null,
} as const satisfies Partial<TargetSettings>;

/** The defaults of a chat target: a message each second is what all of these services take, one after the other. */
export const CHAT_DEFAULTS = {
  ...TARGET_DEFAULTS,
  maxInFlight: 1,
  rateLimitRequests: 1,
  rateLimitSeconds: 1,
} as const satisfies Partial<TargetSettings>;

export const defaultsOf = (kind: TargetKind) => ({ ...(isChatKind(kind) ? CHAT_DEFAULTS : TARGET_DEFAULTS), kind });

async function selectTargets(
  db: Connection,
  masterKey: MasterKey,
  page: Page,
  condition?: SQL,
): Promise<TargetRecord[]> {
  const chosen = db.orm
    .select({ ...getTableColumns(targets), lost: lostOf(targets) })
    .from(targets)
    .where(and(condition, withinPage(targets.id, page)))
    .orderBy(desc(targets.id))
    .limit(page.limit)
    .as("targets");
  const rows = await db.orm
    .select()
    .from(chosen)
    .leftJoin(targetSecrets, eq(targetSecrets.targetId, chosen.id))
    .leftJoin(targetHealth, eq(targetHealth.targetId, chosen.id))
    .leftJoin(targetPulls, eq(targetPulls.targetId, chosen.id))
    .orderBy(desc(chosen.id), asc(targetSecrets.id));
  const records = new Map<string, TargetRecord>();
  for (const { targets: row, target_secrets: secret, target_health: health, target_pulls: pulls } of rows) {
    const { columns: withHeaders, tls } = openTls(masterKey, row);
    const { headersCiphertext, chatUrlCiphertext, ...columns } = withHeaders;
    const record = records.get(row.id) ?? {
      ...columns,
      chatUrl: openChatUrl(masterKey, row.id, chatUrlCiphertext),
      tls,
      headers: openHeaders(masterKey, row.id, headersCiphertext),
      secrets: [],
      health,
      lastPulledAt: pulls?.lastPulledAt ?? null,
    };
    if (secret !== null) record.secrets.push(secret);
    records.set(row.id, record);
  }
  return [...records.values()];
}

/** @param options `name` that a listed target must have; `sent` leaves out pull targets. */
export async function listTargets(
  db: Connection,
  masterKey: MasterKey,
  page: Page,
  { name, sent = false }: { name?: string | undefined; sent?: boolean } = {},
): Promise<TargetRecord[]> {
  const isSent = sent ? ne(targets.kind, "pull") : undefined;
  return selectTargets(db, masterKey, page, and(withName(targets.name, name), isSent));
}

export async function getTarget(
  db: Connection,
  masterKey: MasterKey,
  reference: Reference,
): Promise<TargetRecord | undefined> {
  return (await selectTargets(db, masterKey, ALL, isReferred(targets, reference)))[0];
}

/**
 * Reads a target and locks it until the transaction ends, so that it cannot change in between. MUST run in a
 * transaction.
 */
export async function getTargetForChange(
  tx: Connection,
  masterKey: MasterKey,
  reference: Reference,
): Promise<TargetRecord | undefined> {
  const found = tx.orm.select({ id: targets.id }).from(targets).where(isReferred(targets, reference)).for("update");
  const [locked] = await found;
  return locked && getTarget(tx, masterKey, locked.id);
}

/** Keeps a target from being deleted until the transaction ends. MUST run in a transaction. */
export async function holdTarget(
  tx: Connection,
  reference: Reference,
): Promise<{ id: string; kind: TargetKind } | undefined> {
  const found = tx.orm
    .select({ id: targets.id, kind: targets.kind })
    .from(targets)
    .where(isReferred(targets, reference));
  return (await found.for("key share"))[0];
}

/** @param secret undefined for a chat target. @returns the id of the new target. @throws SluiceError `name_taken` */
export async function insertTarget(
  db: Connection,
  masterKey: MasterKey,
  settings: TargetSettings,
  secret: SigningSecret | undefined,
  takenName: TakenName = "refuse",
): Promise<string> {
  const id = newId();
  const { headers, tls, chatUrl, ...columns } = settings;
  const sealed = {
    headersCiphertext: sealHeaders(masterKey, id, headers),
    chatUrlCiphertext: sealChatUrl(masterKey, id, chatUrl),
    ...sealTls(masterKey, id, tls),
  };
  await db.orm.transaction(async (tx) => {
    const [row] = await tx
      .insert(targets)
      .values({ id, ...columns, ...sealed })
      .returning({ name: targets.name });
    if (takenName === "refuse") requireName("target", settings.name, row?.name);
    if (secret !== undefined) await insertTargetSecret(tx, masterKey, id, secret);
  });
  return id;
}

async function insertTargetSecret(
  tx: Transaction,
  masterKey: MasterKey,
  targetId: string,
  secret: SigningSecret,
): Promise<void> {
  await tx.insert(targetSecrets).values({ ...sealSecret(masterKey, targetId, secret), targetId });
}

/**
 * Adds a secret. Attempts are signed with all secrets that are valid.
 * @returns whether the target exists.
 * @throws SluiceError `limit_reached`, and `invalid_request` for a secret that is valid already.
 */
export async function addTargetSecret(
  db: Connection,
  masterKey: MasterKey,
  id: string,
  secret: SigningSecret,
  previous: Exclude<Previous, "keep">,
): Promise<boolean> {
  return db.orm.transaction(async (tx) => {
    // Locks the row, so that rotations of one target run one after the other.
    const updated = await tx
      .update(targets)
      .set({ updatedAt: sql`now()` })
      .where(eq(targets.id, id));
    if (updated.rowCount === 0) return false;
    await retireSecrets(tx, masterKey, targetSecrets, id, secret, previous);
    await insertTargetSecret(tx, masterKey, id, secret);
    return true;
  });
}

/**
 * Changes a target to the settings that `change` returns. The row stays locked from reading to writing, so that two
 * changes at the same time are both kept. A target that is enabled afterwards starts with new health, because its
 * operator has probably repaired it; that also holds when its settings stay the same.
 * @returns whether anything changed. Settings that the target has already are not written.
 * @throws SluiceError `name_taken`, and `secret_lost` when the target would be enabled without a secret that was lost.
 */
export async function changeTargetSettings(
  db: Connection,
  masterKey: MasterKey,
  id: string,
  change: (current: TargetSettings) => Partial<TargetSettings>,
  takenName: TakenName = "refuse",
): Promise<boolean> {
  return db.orm.transaction(async (tx) => {
    const [row] = await tx.select().from(targets).where(eq(targets.id, id)).for("update");
    if (row === undefined) return false;
    const { tls: currentTls, columns: current } = openTls(masterKey, row);
    const opened = {
      ...current,
      tls: currentTls,
      headers: openHeaders(masterKey, id, row.headersCiphertext),
      chatUrl: openChatUrl(masterKey, id, row.chatUrlCiphertext),
    };
    const changed = findChanged(opened, change(opened));
    if (Object.keys(changed).length > 0) {
      const { headers, tls, chatUrl, ...columns } = changed;
      const [stored] = await tx
        .update(targets)
        .set({
          ...columns,
          ...(headers === undefined ? {} : { headersCiphertext: sealHeaders(masterKey, id, headers) }),
          ...(tls === undefined ? {} : sealTls(masterKey, id, tls)),
          ...(chatUrl === undefined ? {} : { chatUrlCiphertext: sealChatUrl(masterKey, id, chatUrl) }),
          ...(columns.state === undefined ? {} : { stateReason: null, stateChangedAt: sql`now()` }),
          updatedAt: sql`now()`,
        })
        .where(eq(targets.id, id))
        .returning({ name: targets.name });
      if (takenName === "refuse") requireName("target", columns.name ?? row.name, stored?.name);
      // After the update, which may have set what was lost.
      if (columns.state === "enabled") await requireNothingLost(tx, id);
    }
    const isRenewed = (changed.state ?? row.state) === "enabled" && (await renewHealth(tx, id));
    return isRenewed || Object.keys(changed).length > 0;
  });
}

function findChanged(current: TargetSettings, wanted: Partial<TargetSettings>): Partial<TargetSettings> {
  const known: Record<string, unknown> = { ...current };
  const changed = Object.entries(wanted).filter(([name, value]) => !isDeepStrictEqual(value, known[name]));
  return Object.fromEntries(changed);
}

/** Closes the breaker of a target and ends its row of failures. @returns false when there was neither. */
async function renewHealth(tx: Transaction, targetId: string): Promise<boolean> {
  const { openings, openUntil, probeBy, probeUntil, failingSince } = targetHealth;
  const isTroubled = or(
    gt(openings, 0),
    ...[openUntil, probeBy, probeUntil, failingSince].map((each) => isNotNull(each)),
  );
  const { rowCount } = await tx
    .update(targetHealth)
    .set({ openings: 0, openUntil: null, probeBy: null, probeUntil: null, failingSince: null })
    .where(and(eq(targetHealth.targetId, targetId), isTroubled));
  return rowCount === 1;
}

const filters = new FilterCache();

/**
 * Loads targets without their keys and headers, in the order of ids.
 * @param ids of the targets; all targets when absent.
 */
export async function loadSubscribers(tx: Connection, ids?: readonly string[]): Promise<Subscriber[]> {
  const { id, state, subscribedEvents, retryHorizonSeconds, filter } = targets;
  const rows = await tx.orm
    .select({ id, state, subscribedEvents, retryHorizonSeconds, filter })
    .from(targets)
    .where(ids && inArray(id, [...ids]))
    .orderBy(asc(id));
  return rows.map((row) => ({ ...row, filter: filters.open(row.filter) }));
}

function sealHeaders(masterKey: MasterKey, id: string, headers: TargetHeaders): Buffer | null {
  return Object.keys(headers).length === 0 ? null : masterKey.encrypt(JSON.stringify(headers), id);
}

export function openHeaders(masterKey: MasterKey, id: string, sealed: Buffer | null): TargetHeaders {
  return sealed === null ? {} : (JSON.parse(masterKey.decrypt(sealed, id)) as TargetHeaders);
}
