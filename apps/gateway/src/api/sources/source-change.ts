// Every change of a source goes through here. `If-Match` is compared while the source is locked. The ingress of this gateway
// applies the change before its caller gets the answer, so a webhook that is sent after the answer is verified by the new
// settings.

import type { z } from "@hono/zod-openapi";
import type { Context } from "hono";

import { SluiceError } from "@sluice/shared/runtime/errors";
import { generateSigningSecret } from "@sluice/signature/secret";
import { setGeminiKey } from "@sluice/store/configuration/gemini-keys";
import type { Reference } from "@sluice/store/configuration/names";
import * as store from "@sluice/store/configuration/sources";
import type { Connection } from "@sluice/store/connection/database";

import type { ApiEnv } from "../http/api-env.ts";
import { makeChange, type RecordChange } from "../http/change.ts";
import { requireMatch } from "../http/etag.ts";
import { refuseManaged } from "../http/managed.ts";
import { refuseForbiddenAddress } from "../http/forbidden-address.ts";
import { findSource, lockSource } from "./find-source.ts";
import { changeReconciliation } from "./reconcile-settings.ts";
import type { SourcesDependencies } from "./source-endpoint.ts";
import { type newSource, showSource, type SourcePlan, type sourceSchema, toSourceSettings } from "./source-schema.ts";
import { isUnchanged } from "./unchanged-source.ts";

type ShownSource = z.infer<typeof sourceSchema>;

/** Runs `work` as {@link makeChange} does, and then has the ingress load the sources again. */
export async function makeSourceChange<T>(
  c: Context<ApiEnv>,
  { db, sourcesChanged, log }: SourcesDependencies,
  work: (tx: Connection, record: RecordChange) => Promise<T>,
): Promise<T> {
  const result = await makeChange(c, db, work);
  // Failure policy: open. The change is committed, and every ingress finds it by its revision within seconds.
  await sourcesChanged().catch((error: unknown) => log.warn({ err: error }, "sources not refreshed"));
  return result;
}

/**
 * @returns the source, and beside it the secrets that only the answer to this request shows.
 * @throws SluiceError `name_taken`, `invalid_request`
 */
export async function createSource(
  c: Context<ApiEnv>,
  dependencies: SourcesDependencies,
  given: z.infer<typeof newSource>,
  managedBy: string | null = null,
): Promise<{ source: ShownSource; shownOnce: { new_signing_secret?: string; new_ingress_token?: string } }> {
  const { masterKey, geminiSigningSecret, keySetGuard, geminiApiKey } = dependencies;
  const settings = { ...toSourceSettings(given), managedBy };
  if (settings.jwksUri !== null) refuseForbiddenAddress(keySetGuard, settings.jwksUri, "/jwks_uri");
  const secret = given.signing_secret ?? generateSigningSecret();
  const verification = given.kind === "static" ? { kind: given.kind, secret } : { kind: given.kind };
  const { source, token } = await makeSourceChange(c, dependencies, async (tx, record) => {
    const created = await store.insertSource(tx, masterKey, settings, verification);
    if (given.gemini_api_key !== undefined) await setGeminiKey(tx, masterKey, created.id, given.gemini_api_key);
    await changeReconciliation(tx, await findSource(tx, created.id), given.reconcile, geminiApiKey);
    const after = showSource(await findSource(tx, created.id), geminiSigningSecret);
    await record({ action: "source.created", resourceId: after.id, after });
    return { source: after, token: created.token };
  });
  const shownOnce = {
    ...(given.kind === "static" && given.signing_secret === undefined && { new_signing_secret: secret.text }),
    ...(token !== undefined && { new_ingress_token: token.text }),
  };
  return { source, shownOnce };
}

/**
 * @param plan what to make of the source, given how it is now.
 * @throws SluiceError `not_found`, `precondition_failed`, `name_taken`, `protected_source`, `invalid_request`
 */
export async function updateSource(
  c: Context<ApiEnv>,
  dependencies: SourcesDependencies,
  reference: Reference,
  plan: (current: store.SourceRecord) => SourcePlan,
): Promise<ShownSource> {
  const { masterKey, geminiSigningSecret, keySetGuard, geminiApiKey } = dependencies;
  return makeSourceChange(c, dependencies, async (tx, record) => {
    const current = await lockSource(tx, reference);
    const { id } = current;
    const before = showSource(current, geminiSigningSecret);
    requireMatch(c, before);
    refuseManaged(c, "source", current);
    const planned = plan(current);
    const { settings, ...given } = planned;
    const { jwksUri = null } = settings;
    if (jwksUri !== null && jwksUri !== current.jwksUri) refuseForbiddenAddress(keySetGuard, jwksUri, "/jwks_uri");
    if (settings.name !== undefined && settings.name !== current.name) refuseBuiltIn(current, "be renamed");
    if (await isUnchanged(tx, masterKey, current, planned)) return before;
    await store.changeSourceSettings(tx, masterKey, id, settings, given.signing_secret);
    if (given.gemini_api_key !== undefined) await setGeminiKey(tx, masterKey, id, given.gemini_api_key);
    await changeReconciliation(tx, await findSource(tx, id), given.reconcile, geminiApiKey);
    const after = showSource(await findSource(tx, id), geminiSigningSecret);
    await record({ action: "source.updated", resourceId: after.id, before, after });
    return after;
  });
}

/** @throws SluiceError `not_found`, `precondition_failed`, `protected_source` */
export async function deleteSource(
  c: Context<ApiEnv>,
  dependencies: SourcesDependencies,
  reference: Reference,
): Promise<void> {
  await makeSourceChange(c, dependencies, async (tx, record) => {
    const current = await lockSource(tx, reference);
    const before = showSource(current, dependencies.geminiSigningSecret);
    requireMatch(c, before);
    refuseManaged(c, "source", current);
    refuseBuiltIn(current, "be deleted");
    await store.removeSource(tx, current.id);
    await record({ action: "source.deleted", resourceId: before.id, before });
  });
}

function refuseBuiltIn({ name }: store.SourceRecord, change: "be renamed" | "be deleted"): void {
  if (!Object.hasOwn(store.BUILT_IN_SOURCES, name)) return;
  throw new SluiceError(
    "protected_source",
    `The source "${name}" cannot ${change}: it is built in, and the relay creates it again at every start`,
  );
}
