// The answers to POST requests with an Idempotency-Key. A request claims its key before it works. The transaction of
// its change marks the claim, so that a request that lost its claim, because it was taken for dead, cannot change
// anything. The answer is kept encrypted, because it may contain a secret that is shown only once.

import { createHash } from "node:crypto";

import { and, eq, not, sql } from "drizzle-orm";

import { newId } from "@sluice/shared/domain/ids";
import type { MasterKey } from "@sluice/shared/settings/master-key";

import type { Connection, Database } from "../connection/database.ts";
import { pruneBatches } from "../connection/prune-batches.ts";
import { idempotencyKeys } from "../schema.ts";

/** How long an answer is kept. */
const ANSWER_KEPT = "24 hours";
/** Longer than any request works. After that its gateway is dead, and another request may do the work. */
const CLAIM_KEPT = "60 seconds";
const NIL_ID = "00000000-0000-0000-0000-000000000000";

/** The parts of a request by which a repetition is recognized. */
export interface IdempotentRequest {
  /** The id of the API key; null for the admin key of the environment. */
  callerId: string | null;
  /** The value of the header Idempotency-Key. */
  key: string;
  /** SHA-256 of method, path and body. */
  fingerprint: Buffer;
  /** The same for each body that says the same. A request is a repetition if either is that of the first one. */
  meaning: Buffer;
}

export interface StoredAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export type ClaimResult =
  /** The request is the first, and does the work. */
  | { kind: "claimed"; claim: string }
  | { kind: "answered"; answer: StoredAnswer }
  | { kind: "in_progress" }
  /** An earlier request changed something, and its gateway died before it had the answer. */
  | { kind: "answer_lost" }
  /** A different request has used the key. */
  | { kind: "reused" };

const rowKeyOf = ({ callerId, key }: IdempotentRequest) => ({
  caller: callerId ?? NIL_ID,
  keyHash: createHash("sha256").update(key).digest(),
});

/** The owner that the answer's encryption is bound to. */
const encryptionOwnerOf = (request: IdempotentRequest) => {
  const { caller, keyHash } = rowKeyOf(request);
  return `idempotency:${caller}:${keyHash.toString("hex")}`;
};

/** Whether the row is of the request with the fingerprint $3 and the meaning $4. */
const IS_SAME = "(k.fingerprint = $3::bytea OR coalesce(k.meaning = k.fingerprint || $4::bytea, false))";
/** Whether the request may have the row: it is too old, or has the claim of a dead gateway that changed nothing. */
const IS_FREE = `(k.created_at < now() - interval '${ANSWER_KEPT}'
  OR (k.answer IS NULL AND NOT k.took_effect AND k.claimed_until < now() AND ${IS_SAME}))`;

// A request looks before it claims. Every statement that could write the row waits for it while the transaction of the
// first request holds it, and the others are to be answered at once.
const READ_CLAIM = `
SELECT ${IS_SAME} AS is_same, ${IS_FREE} AS is_free, answer, took_effect, claimed_until > now() AS is_claimed
FROM idempotency_keys k WHERE caller = $1 AND key_hash = $2`;

// Of several simultaneous requests, exactly one makes the row or takes it over.
const CLAIM_NEW = `
INSERT INTO idempotency_keys (caller, key_hash, fingerprint, meaning, claim, claimed_until)
VALUES ($1, $2, $3::bytea, $3::bytea || $4::bytea, $5, now() + interval '${CLAIM_KEPT}') ON CONFLICT DO NOTHING`;

const CLAIM_FREE = `
UPDATE idempotency_keys k SET fingerprint = $3::bytea, meaning = $3::bytea || $4::bytea, claim = $5,
  claimed_until = now() + interval '${CLAIM_KEPT}', took_effect = false, answer = NULL, created_at = now()
WHERE caller = $1 AND key_hash = $2 AND ${IS_FREE}`;

export async function claimKey(db: Database, masterKey: MasterKey, request: IdempotentRequest): Promise<ClaimResult> {
  const { caller, keyHash } = rowKeyOf(request);
  const known = [caller, keyHash, request.fingerprint, request.meaning];
  const { rows } = await db.pool.query<{
    is_same: boolean;
    is_free: boolean;
    answer: Buffer | null;
    took_effect: boolean;
    is_claimed: boolean;
  }>(READ_CLAIM, known);
  const row = rows[0];
  if (row === undefined || row.is_free) {
    const claim = newId();
    const { rowCount } = await db.pool.query(row === undefined ? CLAIM_NEW : CLAIM_FREE, [...known, claim]);
    return rowCount === 1 ? { kind: "claimed", claim } : { kind: "in_progress" };
  }
  if (!row.is_same) return { kind: "reused" };
  if (row.answer !== null) {
    return {
      kind: "answered",
      answer: JSON.parse(masterKey.decrypt(row.answer, encryptionOwnerOf(request))) as StoredAnswer,
    };
  }
  return { kind: row.took_effect && !row.is_claimed ? "answer_lost" : "in_progress" };
}

/** MUST be called in the transaction that makes the change. @returns false when another request has the claim now. */
export async function markEffect(tx: Connection, claim: string): Promise<boolean> {
  const marked = await tx.orm.update(idempotencyKeys).set({ tookEffect: true }).where(eq(idempotencyKeys.claim, claim));
  return marked.rowCount === 1;
}

export async function keepAnswer(
  db: Database,
  masterKey: MasterKey,
  request: IdempotentRequest,
  claim: string,
  answer: StoredAnswer,
): Promise<void> {
  const { caller, keyHash } = rowKeyOf(request);
  await db.orm
    .update(idempotencyKeys)
    .set({ answer: masterKey.encrypt(JSON.stringify(answer), encryptionOwnerOf(request)) })
    .where(
      and(eq(idempotencyKeys.caller, caller), eq(idempotencyKeys.keyHash, keyHash), eq(idempotencyKeys.claim, claim)),
    );
}

/**
 * Takes back the claim of a request that was refused and changed nothing, as if it had not come.
 * @returns false when the request changed something: its claim stays.
 */
export async function withdrawClaim(db: Database, claim: string): Promise<boolean> {
  const { claim: claimOf, tookEffect } = idempotencyKeys;
  const { rowCount } = await db.orm.delete(idempotencyKeys).where(and(eq(claimOf, claim), not(tookEffect)));
  return rowCount === 1;
}

/**
 * Gives up the claim of a request that failed, so that the next request does the work. When the request changed
 * something, the row stays, and its answer counts as lost.
 */
export async function giveUpClaim(db: Database, claim: string): Promise<void> {
  if (await withdrawClaim(db, claim)) return;
  await db.orm
    .update(idempotencyKeys)
    .set({ claimedUntil: sql`now()` })
    .where(eq(idempotencyKeys.claim, claim));
}

/** Deletes answers that are too old to be given again. @returns how many. */
export async function pruneIdempotencyKeys(db: Database): Promise<number> {
  return pruneBatches(db, "idempotency_keys", `created_at < now() - interval '${ANSWER_KEPT}'`, []);
}
