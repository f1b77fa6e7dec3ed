// What a POST with an Idempotency-Key was answered with. A request claims its key before it works; the transaction of
// its change marks the claim, so that a request which was taken for dead, and is not, changes nothing any more; and
// its answer is kept, encrypted, for it may hold a secret that is shown once.

import { createHash } from "node:crypto";
import { and, eq, sql } from "drizzle-orm";

import { newId } from "@sluice/shared/domain/ids";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import { idempotencyKeys } from "../schema.ts";
import type { Connection, Database } from "../connection/database.ts";
import { pruneBatches } from "../connection/prune.ts";

/** How long an answer is kept. */
const KEPT = "24 hours";
/** Longer than a request works: then its gateway is dead, and another request may do the work. */
const CLAIM = "60 seconds";
const NIL_ID = "00000000-0000-0000-0000-000000000000";

/** A request as far as it has to be the same one. */
export interface IdempotentRequest {
  /** The id of the API key; null for that of the environment. */
  callerId: string | null;
  /** The Idempotency-Key. */
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
  /** The request is the first, and has to do the work. */
  | { kind: "claimed"; claim: string }
  | { kind: "answered"; answer: StoredAnswer }
  | { kind: "in_progress" }
  /** It changed something, and its gateway died before it knew the answer. */
  | { kind: "answer_lost" }
  /** The key is that of a request that is not this one. */
  | { kind: "reused" };

const addressOf = ({ callerId, key }: IdempotentRequest) => ({
  caller: callerId ?? NIL_ID,
  keyHash: createHash("sha256").update(key).digest(),
});

const ownerOf = (request: IdempotentRequest) => {
  const { caller, keyHash } = addressOf(request);
  return `idempotency:${caller}:${keyHash.toString("hex")}`;
};

// One statement, so that of requests that come at once one is told that it is the first. What is old is as if it were
// not there, and so is the claim of a dead gateway that changed nothing.
const CLAIM_KEY = `
INSERT INTO idempotency_keys AS k (caller, key_hash, fingerprint, claim, claimed_until)
VALUES ($1, $2, $3, $4, now() + interval '${CLAIM}')
ON CONFLICT (caller, key_hash) DO UPDATE SET fingerprint = excluded.fingerprint, claim = excluded.claim,
  claimed_until = excluded.claimed_until, took_effect = false, answer = NULL, created_at = now()
WHERE k.created_at < now() - interval '${KEPT}'
  OR (k.answer IS NULL AND NOT k.took_effect AND k.claimed_until < now() AND k.fingerprint = excluded.fingerprint)`;

export async function claimKey(db: Database, masterKey: MasterKey, request: IdempotentRequest): Promise<ClaimResult> {
  const { caller, keyHash } = addressOf(request);
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
  // It was given up just now, by a request that failed: the next one may claim it.
  if (row === undefined) return { kind: "in_progress" };
  if (!row.fingerprint.equals(request.fingerprint)) return { kind: "reused" };
  if (row.answer !== null) {
    return { kind: "answered", answer: JSON.parse(masterKey.decrypt(row.answer, ownerOf(request))) as StoredAnswer };
  }
  return { kind: row.took_effect && !row.is_claimed ? "answer_lost" : "in_progress" };
}

/** MUST be called in the transaction that makes the change. @returns false when the claim is another request's by now. */
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
  const { caller, keyHash } = addressOf(request);
  await db.orm
    .update(idempotencyKeys)
    .set({ answer: masterKey.encrypt(JSON.stringify(answer), ownerOf(request)) })
    .where(
      and(eq(idempotencyKeys.caller, caller), eq(idempotencyKeys.keyHash, keyHash), eq(idempotencyKeys.claim, claim)),
    );
}

/**
 * For a request that ended without an answer to keep: the next one does the work. One that changed something stays,
 * as one whose answer was lost.
 */
export async function giveUpClaim(db: Database, claim: string): Promise<void> {
  await db.orm.execute(sql`
    WITH dropped AS (DELETE FROM idempotency_keys WHERE claim = ${claim} AND NOT took_effect)
    UPDATE idempotency_keys SET claimed_until = now() WHERE claim = ${claim} AND took_effect`);
}

/** Forgets answers that are not given any more. @returns how many. */
export async function pruneIdempotencyKeys(db: Database): Promise<number> {
  return pruneBatches(db, "idempotency_keys", `created_at < now() - interval '${KEPT}'`, []);
}
