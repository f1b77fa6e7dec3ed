// A change to what a source is already writes nothing: its `updated_at` and its ETag stay, so that a script that applies its
// settings again and again does not fail the `If-Match` of others.

import { isDeepStrictEqual } from "node:util";

import type { MasterKey } from "@sluice/shared/settings/master-key";
import { isGeminiKeyOf } from "@sluice/store/configuration/gemini-keys";
import { isOnlySecret } from "@sluice/store/configuration/source-secrets";
import type { SourceRecord } from "@sluice/store/configuration/sources";
import type { Connection } from "@sluice/store/connection/database";

import { applyReconcile } from "./reconcile-settings.ts";
import type { SourcePlan } from "./source-schema.ts";

export async function isUnchanged(
  tx: Connection,
  masterKey: MasterKey,
  current: SourceRecord,
  { settings, signing_secret: secret, gemini_api_key: geminiKey, reconcile }: SourcePlan,
): Promise<boolean> {
  return (
    isDeepStrictEqual({ ...current, ...settings }, current) &&
    isDeepStrictEqual(applyReconcile(current.reconcile, reconcile), current.reconcile) &&
    (secret === undefined || isOnlySecret(masterKey, current.id, current.secrets, secret)) &&
    (geminiKey === undefined || (await isGeminiKeyOf(tx, masterKey, current.id, geminiKey)))
  );
}
