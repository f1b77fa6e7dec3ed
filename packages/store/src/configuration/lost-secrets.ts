// A target that lacks a secret since the master key was lost stays paused until somebody has set the secret anew:
// lose-secrets.ts notes what was lost.

import { eq, type SQL, sql } from "drizzle-orm";

import { SluiceError } from "@sluice/shared/runtime/errors";

import type { Transaction } from "../connection/database.ts";
import { type LostSecretKind, lostSecrets, type sources, type targets } from "../schema.ts";

const NAMES: Record<LostSecretKind, string> = {
  signing_secret: "its signing secret (:rotate-secret, or signing_secret in a file of settings)",
  gemini_api_key: "its key of the Gemini API",
  headers: "its headers",
  tls_client_key: "the key of its client certificate (tls)",
  chat_url: "the URL of its chat (uri)",
};

/** SQL: what the owner of a row lacks. */
export const lostOf = ({ id }: typeof sources | typeof targets): SQL.Aliased<LostSecretKind[]> =>
  sql<
    LostSecretKind[]
  >`ARRAY(SELECT ${lostSecrets.what} FROM ${lostSecrets} WHERE ${lostSecrets.ownerId} = ${id} ORDER BY 1)`.as("lost");

/** @throws SluiceError `secret_lost` */
export async function requireNothingLost(tx: Transaction, targetId: string): Promise<void> {
  const rows = await tx.select({ what: lostSecrets.what }).from(lostSecrets).where(eq(lostSecrets.ownerId, targetId));
  if (rows.length === 0) return;
  throw new SluiceError(
    "secret_lost",
    `The target was paused because the master key was lost. Set ${rows.map(({ what }) => NAMES[what]).join(", ")} anew first`,
  );
}
