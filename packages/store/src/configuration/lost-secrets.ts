// A target that lacks a secret since the master key was lost stays paused until somebody has set the secret anew:
// lose-secrets.ts notes what was lost.

import { eq } from "drizzle-orm";

import { SluiceError } from "@sluice/shared/runtime/errors";

import type { Transaction } from "../connection/database.ts";
import { type LostSecretKind, lostSecrets } from "../schema.ts";

const NAMES: Record<LostSecretKind, string> = {
  signing_secret: "its signing secret (:rotate-secret)",
  gemini_api_key: "its key of the Gemini API",
  headers: "its headers",
  tls_client_key: "the key of its client certificate (tls)",
  chat_url: "the URL of its chat (uri)",
};

/** @throws SluiceError `secret_lost` */
export async function requireNothingLost(tx: Transaction, targetId: string): Promise<void> {
  const rows = await tx.select({ what: lostSecrets.what }).from(lostSecrets).where(eq(lostSecrets.ownerId, targetId));
  if (rows.length === 0) return;
  throw new SluiceError(
    "secret_lost",
    `The target was paused because the master key was lost. Set ${rows.map(({ what }) => NAMES[what]).join(", ")} anew first`,
  );
}
