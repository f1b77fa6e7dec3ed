// The answers to POST requests with an Idempotency-Key. A request claims its key before it works. The transaction of
// its change marks the claim, so that a request that lost its claim, because it was taken for dead, cannot change
// anything. The answer is kept encrypted, because it may contain a secret that is shown only once.

import { createHash } from "node:crypto";

import { and, eq, sql } from "drizzle-orm";

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

// One statement, so that exactly one of several simultaneous requests is the first. It overwrites a row that is too
// old, and the claim of a dead gateway that changed nothing.
const CLAIM_KEY = `
INSERT INTO idempotency_keys AS k (caller, key_hash, fingerprint, claim, claimed_until)
VALUES ($1, $2, $3, $4, now() + interval '${CLAIM_KEPT}')
ON CONFLICT (caller, key_hash) DO UPDATE SET fingerprint = excluded.fingerprint, claim = excluded.claim,
  claimed_until = excluded.claimed_until, took_effect = false, answer = NULL, created_at = now()
WHERE k.created_at < now() - interval '${ANSWER_KEPT}'
  OR (k.answer IS NULL AND NOT k.took_effect AND k.claimed_until < now() AND k.fingerprint = excluded.fingerprint)`;

export async function claimKey(db: Database, masterKey: MasterKey, request: IdempotentRequest): Promise<ClaimResult> {
  const { caller, keyHash } = rowKeyOf(request);
  const claim = newId();
  const { rowCount } = await db.pool.query(CLAIM_KEY, [caller, keyHash, request.fingerprint, claim]);
  if (rowCount === 1) return { kind: "claimed", claim };
  const { rows } = await db.pool.query<{
    fingerprint: Buffer;
    answer: Buffer | null;
    took_effect: boolean;
    is_claimed: boolean;
  }>(
    `SELECT fingerprint, answer, took_effect, claimed_until > now() AS is_claimed FROM idempotency_keys
     WHERE caller = $1 AND key_hash = $2`,
    [caller, keyHash],
  );
  const row = rows[0];
  // A request that failed gave the claim up just now. The caller's next try may claim the key.
  if (row === undefined) return { kind: "in_progress" };
  if (!row.fingerprint.equals(request.fingerprint)) return { kind: "reused" };
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
 * Gives up the claim of a request that ended without an answer to keep, so that the next request does the work. When
 * the request changed something, the row stays, and its answer counts as lost.
 */
export async function giveUpClaim(db: Database, claim: string): Promise<void> {
  await db.orm.execute(sql`
    WITH dropped AS (DELETE FROM idempotency_keys WHERE claim = ${claim} AND NOT took_effect)
    UPDATE idempotency_keys SET claimed_until = now() WHERE claim = ${claim} AND took_effect`);
}

/** Deletes answers that are too old to be given again. @returns how many. */
export async function pruneIdempotencyKeys(db: Database): Promise<number> {
  return pruneBatches(db, "idempotency_keys", `created_at < now() - interval '${ANSWER_KEPT}'`, []);
}
