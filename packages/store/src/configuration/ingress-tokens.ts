// Ingress tokens as rows: SHA-256 of each, its truncated form, and an expiry while a rotation overlaps.

import { and, eq } from "drizzle-orm";

import { newId } from "@sluice/shared/domain/ids";
import { generateIngressToken, hashIngressToken, truncateIngressToken } from "@sluice/signature/ingress-token";
import { ingressTokens } from "../schema.ts";
import type { Connection } from "../connection/database.ts";
import { lockSourceOfKind, type Previous, retire, type Transaction } from "./rotation.ts";

export type IngressTokenRow = typeof ingressTokens.$inferSelect;

export interface NewIngressToken {
  id: string;
  /** In the clear, and nowhere else. */
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
    await retire(tx, ingressTokens, sourceId, previous);
    return insertIngressToken(tx, sourceId);
  });
}

/** @returns whether the source had it. */
export async function deleteIngressToken(db: Connection, sourceId: string, id: string): Promise<boolean> {
  const deleted = await db.orm
    .delete(ingressTokens)
    .where(and(eq(ingressTokens.id, id), eq(ingressTokens.sourceId, sourceId)));
  return deleted.rowCount === 1;
}
