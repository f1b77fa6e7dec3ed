// The webhook that a source has at Gemini, as a row. One process at a time works on it: a claim lasts for a minute,
// each step renews it, and nobody writes to the row without it. So a process that was taken for dead cannot overwrite
// what another one did.

import { and, eq, isNotNull, lte, sql } from "drizzle-orm";

import { SluiceError } from "@sluice/shared/runtime/errors";

import type { Connection, Database } from "../connection/database.ts";
import { type HealPolicy, type UpstreamIntent, upstreams } from "../schema.ts";

export type UpstreamRow = typeof upstreams.$inferSelect;

/** The right to work on the webhook of a source. `holder` is made anew for each piece of work. */
export interface UpstreamClaim {
  sourceId: string;
  holder: string;
}

/** Longer than two requests to Gemini, or than one and the wait for a ping. */
const CLAIM_KEPT = "60 seconds";
const BUSY_RETRY_SECONDS = 15;

const claimedUntil = sql`now() + ${CLAIM_KEPT}::interval`;
const isFree = sql`(${upstreams.claimedUntil} IS NULL OR ${upstreams.claimedUntil} <= now())`;
const isHeldBy = ({ sourceId, holder }: UpstreamClaim) =>
  and(eq(upstreams.sourceId, sourceId), eq(upstreams.claimedBy, holder));

export const upstreamBusy = () =>
  new SluiceError("upstream_busy", "Another request or a worker is working on the webhook of this source at Gemini", {
    retryAfterSeconds: BUSY_RETRY_SECONDS,
  });

export async function getUpstream(on: Connection, sourceId: string): Promise<UpstreamRow | undefined> {
  return (await on.orm.select().from(upstreams).where(eq(upstreams.sourceId, sourceId)))[0];
}

/** Makes the row of a source that has none. MUST run in the transaction that locked the source. */
export async function ensureUpstream(tx: Connection, sourceId: string, uri: string): Promise<void> {
  await tx.orm.insert(upstreams).values({ sourceId, uri }).onConflictDoNothing();
}

/**
 * Takes the claim and writes down what is about to be done. It is committed before Gemini is asked, so that a crash
 * leaves a trace that another process follows.
 * @returns the row; undefined when the source has none.
 * @throws SluiceError `upstream_busy`
 */
export async function claimUpstream(
  on: Connection,
  claim: UpstreamClaim,
  intent?: UpstreamIntent,
): Promise<UpstreamRow | undefined> {
  const [row] = await on.orm
    .update(upstreams)
    .set({
      claimedBy: claim.holder,
      claimedUntil,
      // Due as soon as the claim runs out.
      ...(intent !== undefined && { intent, nextCheckAt: sql`now()` }),
    })
    .where(and(eq(upstreams.sourceId, claim.sourceId), isFree))
    .returning();
  if (row !== undefined) return row;
  if ((await getUpstream(on, claim.sourceId)) === undefined) return undefined;
  throw upstreamBusy();
}

/**
 * Claims the row that has been due for longest.
 * @returns undefined when none is due, or others work on all that are.
 */
export async function claimDueUpstream(db: Database, holder: string): Promise<UpstreamRow | undefined> {
  const due = db.orm
    .select({ sourceId: upstreams.sourceId })
    .from(upstreams)
    .where(and(isNotNull(upstreams.nextCheckAt), lte(upstreams.nextCheckAt, sql`now()`), isFree))
    .orderBy(upstreams.nextCheckAt)
    .limit(1)
    .for("update", { skipLocked: true });
  const [row] = await db.orm
    .update(upstreams)
    .set({ claimedBy: holder, claimedUntil })
    .where(sql`${upstreams.sourceId} = (${due})`)
    .returning();
  return row;
}

/** Writes to a claimed row, and renews the claim. @throws SluiceError `upstream_busy` when the claim was lost. */
export async function saveUpstream(
  on: Connection,
  claim: UpstreamClaim,
  changes: Partial<Omit<UpstreamRow, "nextRotationAt">> & { nextRotationAt?: ReturnType<typeof rotationAfter> } = {},
): Promise<void> {
  const saved = await on.orm
    .update(upstreams)
    .set({ ...changes, claimedUntil, updatedAt: sql`now()` })
    .where(isHeldBy(claim));
  if (saved.rowCount !== 1) throw upstreamBusy();
}

/**
 * Ends the work on a row. Does nothing when the claim was lost.
 * @param nextCheckInMs null when nothing is to be done until somebody asks for it.
 */
export async function releaseUpstream(
  on: Connection,
  claim: UpstreamClaim,
  nextCheckInMs: number | null,
): Promise<void> {
  const nextCheckAt = nextCheckInMs === null ? null : sql`now() + ${nextCheckInMs} * interval '1 millisecond'`;
  await on.orm.update(upstreams).set({ claimedBy: null, claimedUntil: null, nextCheckAt }).where(isHeldBy(claim));
}

/** The time of the next rotation; null without an interval. */
export const rotationAfter = (days: number | null) =>
  days === null ? null : sql<Date>`now() + ${days} * interval '1 day'`;

export interface UpstreamSettings {
  rotateEveryDays?: number | null | undefined;
  heal?: HealPolicy | undefined;
}

/** Needs no claim: nobody else writes to these columns, and a worker reads them when it begins. */
export async function changeUpstreamSettings(
  tx: Connection,
  sourceId: string,
  settings: UpstreamSettings,
): Promise<void> {
  const { rotateEveryDays, heal } = settings;
  await tx.orm
    .update(upstreams)
    .set({
      ...(rotateEveryDays !== undefined && { rotateEveryDays, nextRotationAt: rotationAfter(rotateEveryDays) }),
      ...(heal !== undefined && { heal }),
      updatedAt: sql`now()`,
    })
    .where(eq(upstreams.sourceId, sourceId));
}

/** Forgets the webhook of a source. MUST run in a transaction that holds the claim. */
export async function deleteUpstream(tx: Connection, claim: UpstreamClaim): Promise<void> {
  const deleted = await tx.orm.delete(upstreams).where(isHeldBy(claim));
  if (deleted.rowCount !== 1) throw upstreamBusy();
}

/** Counts a heal that the relay makes by itself. @returns false when there were `max` in the last 24 hours already. */
export async function countHeal(on: Connection, claim: UpstreamClaim, max: number): Promise<boolean> {
  const recent = sql`ARRAY(SELECT at FROM unnest(${upstreams.healedAt}) AS at WHERE at > now() - interval '24 hours')`;
  const counted = await on.orm
    .update(upstreams)
    .set({ healedAt: sql`array_append(${recent}, now())`, claimedUntil })
    .where(and(isHeldBy(claim), sql`cardinality(${recent}) < ${max}`));
  return counted.rowCount === 1;
}
