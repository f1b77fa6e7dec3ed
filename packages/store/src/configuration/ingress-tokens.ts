// Ingress tokens of dynamic sources as rows. A row has the token's SHA-256, its truncated form, and an expiry while a
// rotation overlaps.

import { and, eq } from "drizzle-orm";

import { newId } from "@sluice/shared/domain/ids";
import { generateIngressToken, hashIngressToken, truncateIngressToken } from "@sluice/signature/ingress-token";

import type { Connection, Transaction } from "../connection/database.ts";
import { ingressTokens } from "../schema.ts";
import { lockSourceOfKind, type Previous, retirePrevious } from "./rotation.ts";

export type IngressTokenRow = typeof ingressTokens.$inferSelect;

export interface NewIngressToken {
  id: string;
  /** The token in the clear. Nothing stores it, so it can be shown only once. */
  text: string;
}

/** MUST run in the transaction that made or locked the source. */
export async function insertIngressToken(tx: Transaction, sourceId: string): Promise<NewIngressToken> {
  const token = { id: newId(), text: generateIngressToken() };
  const hash = hashIngressToken(token.text);
  await tx.insert(ingressTokens).values({ id: token.id, sourceId, hash, truncated: truncateIngressToken(token.text) });
  return token;
}

/** @throws SluiceError `not_found`, `wrong_kind`, `limit_reached` */
export async function createIngressToken(
  db: Connection,
  sourceId: string,
  previous: Previous,
): Promise<NewIngressToken> {
  return db.orm.transaction(async (tx) => {
    await lockSourceOfKind(tx, sourceId, "dynamic");
    await retirePrevious(tx, ingressTokens, sourceId, previous);
    return insertIngressToken(tx, sourceId);
  });
}

/** @returns whether the source had this token. */
export async function deleteIngressToken(db: Connection, sourceId: string, id: string): Promise<boolean> {
  const deleted = await db.orm
    .delete(ingressTokens)
    .where(and(eq(ingressTokens.id, id), eq(ingressTokens.sourceId, sourceId)));
  return deleted.rowCount === 1;
}
