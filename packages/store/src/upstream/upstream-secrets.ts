// The secrets that Gemini makes, as secrets of the source: stored beside those that it has, and ended when Gemini
// ends them.

import { and, eq, inArray, isNull, sql } from "drizzle-orm";

import { GeminiFailure } from "@sluice/gemini/failure";
import type { UpstreamWebhook } from "@sluice/gemini/webhooks";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { readSigningSecret } from "@sluice/signature/secret";

import { lockSourceOfKind } from "../configuration/rotation.ts";
import { insertSourceSecret } from "../configuration/source-secrets.ts";
import type { Connection, Transaction } from "../connection/database.ts";
import { sourceSecrets } from "../schema.ts";
import { currentSecrets } from "./upstream-drift.ts";
import type { UpstreamWork } from "./upstream-work.ts";

/** Each valid secret costs a comparison for every webhook, as for a rotation by hand. */
const MAX_VALID = 10;
/** A webhook that was signed with the old secret at its very end is still on its way. Clocks differ, too. */
const END_MARGIN_MS = 600_000;

interface HeldSecret {
  id: string;
  truncated: string;
  expiresAt: Date | null;
}

const isValid = sql`(${sourceSecrets.expiresAt} IS NULL OR ${sourceSecrets.expiresAt} > now())`;

/** The stored secrets of a source that are valid, without their texts. */
export async function listHeldSecrets(on: Connection, sourceId: string): Promise<HeldSecret[]> {
  return on.orm
    .select({ id: sourceSecrets.id, truncated: sourceSecrets.truncated, expiresAt: sourceSecrets.expiresAt })
    .from(sourceSecrets)
    .where(and(eq(sourceSecrets.sourceId, sourceId), isValid));
}

/** MUST be asked before Gemini is asked for a secret: one that cannot be stored would be lost. */
export const hasRoomForSecret = async (on: Connection, sourceId: string): Promise<boolean> =>
  (await listHeldSecrets(on, sourceId)).length < MAX_VALID;

/** @throws SluiceError `limit_reached` */
export async function requireRoomForSecret(tx: Connection, sourceId: string): Promise<void> {
  if (await hasRoomForSecret(tx, sourceId)) return;
  throw new SluiceError(
    "limit_reached",
    `The source has ${MAX_VALID} valid signing secrets, which is the limit: revoke some, or wait until some expire`,
  );
}

/** Whether the source has the secret with which Gemini signs and that has no end. */
export const holdsCurrent = ({ secrets }: UpstreamWebhook, held: readonly Pick<HeldSecret, "truncated">[]): boolean =>
  currentSecrets(secrets).some((truncated) => held.some((secret) => secret.truncated === truncated));

/**
 * Stores a new secret of Gemini beside the others. The caller's transaction also says that the work is done, so that a
 * crash never leaves one without the other.
 * @throws GeminiFailure when Gemini made something that is no secret.
 */
export async function storeUpstreamSecret(
  tx: Transaction,
  { dependencies: { masterKey }, claim: { sourceId } }: UpstreamWork,
  text: string | undefined,
): Promise<void> {
  const read = readSigningSecret(text ?? "");
  if ("fault" in read) throw new GeminiFailure("refused", "The signing secret that Gemini made", read.fault);
  await lockSourceOfKind(tx, sourceId, "static");
  await tx.delete(sourceSecrets).where(and(eq(sourceSecrets.sourceId, sourceId), sql`NOT ${isValid}`));
  await insertSourceSecret(tx, masterKey, sourceId, read.secret);
}

/**
 * Ends those secrets of the source that Gemini ends. While the source lacks Gemini's current secret, none is ended:
 * they are all that it has.
 * @returns whether a secret got an end.
 */
export async function endRetiredSecrets(tx: Connection, sourceId: string, webhook: UpstreamWebhook): Promise<boolean> {
  const held = await listHeldSecrets(tx, sourceId);
  if (!holdsCurrent(webhook, held)) return false;
  const current = currentSecrets(webhook.secrets);
  let hasEnded = false;
  for (const { truncated, expireTime } of webhook.secrets) {
    const endMs = expireTime === null ? Number.NaN : Date.parse(expireTime) + END_MARGIN_MS;
    const ids = held
      .filter((secret) => secret.truncated === truncated && secret.expiresAt === null)
      .map(({ id }) => id);
    // Two secrets can look the same when they are shortened. The one that has no end goes before.
    if (Number.isNaN(endMs) || ids.length === 0 || current.includes(truncated)) continue;
    // Not before there is something to write: the triggers count every UPDATE as a change of the sources.
    await tx.orm
      .update(sourceSecrets)
      .set({ expiresAt: new Date(endMs) })
      .where(and(inArray(sourceSecrets.id, ids), isNull(sourceSecrets.expiresAt)));
    hasEnded = true;
  }
  return hasEnded;
}
