// Brings one resource to what a configuration says, or removes it. Each goes the way of the API, so that validation, audit trail
// and names are the same; what is right already is not touched.

import { isDeepStrictEqual } from "node:util";

import type { Context } from "hono";

import { formatId } from "@sluice/shared/domain/ids";
import { isChatKind } from "@sluice/shared/domain/target-kinds";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { generateSigningSecret, type SigningSecret, validKeys } from "@sluice/signature/secret";
import {
  changeApiKey,
  findNameOfKey,
  getApiKey,
  insertApiKey,
  lockNamedKey,
  revokeApiKey,
} from "@sluice/store/configuration/api-keys";
import { openSecret } from "@sluice/store/configuration/secrets";
import { BUILT_IN_SOURCES, getSource } from "@sluice/store/configuration/sources";
import { getTarget, type TargetRecord } from "@sluice/store/configuration/targets";
import type { Connection } from "@sluice/store/connection/database";

import { type KeysDependencies, refuseLongerLife, showKey } from "../access/keys.ts";
import { readScopes } from "../access/key-scopes.ts";
import { type ApiEnv, callerOf } from "../http/api-env.ts";
import { makeChange, type RecordChange } from "../http/change.ts";
import { invalidRequest } from "../http/invalid-request.ts";
import { refuseManaged } from "../http/managed.ts";
import { createSource, deleteSource, updateSource } from "../sources/source-change.ts";
import type { SourcesDependencies } from "../sources/source-endpoint.ts";
import { toSourceReplacement } from "../sources/source-schema.ts";
import { createTarget, deleteTarget, rotateTargetSecret, updateTarget } from "../targets/target-change.ts";
import type { TargetsDependencies } from "../targets/target-endpoint.ts";
import { toReplacement, toTargetSettings } from "../targets/target-schema.ts";
import type { ConfiguredKey, ConfiguredSource, ConfiguredTarget } from "./configuration-schema.ts";

export interface ResourcesDependencies extends SourcesDependencies, TargetsDependencies, KeysDependencies {}

/** What only the answer to the caller shows. */
export interface ShownOnce {
  new_signing_secret?: string;
  new_ingress_token?: string;
}

/** A change of one resource. @returns what is shown once. */
export type ApplyResource = (c: Context<ApiEnv>, dependencies: ResourcesDependencies) => Promise<ShownOnce>;

export function putSource(given: ConfiguredSource, managedBy: string): ApplyResource {
  return async (c, dependencies) => {
    const { name } = given;
    if ((await getSource(dependencies.db, { name })) === undefined) {
      const created = { ...given, gemini_api_key: given.gemini_api_key ?? undefined };
      return (await createSource(c, dependencies, created, managedBy)).shownOnce;
    }
    await updateSource(c, dependencies, { name }, (current) => {
      const plan = toSourceReplacement(current, given);
      return { ...plan, settings: { ...plan.settings, managedBy } };
    });
    return {};
  };
}

export function putTarget(given: ConfiguredTarget, managedBy: string): ApplyResource {
  return async (c, dependencies) => {
    const { db, masterKey } = dependencies;
    const { signing_secret: secret, ...settings } = given;
    if (secret !== undefined && isChatKind(given.kind)) {
      const detail = `is only for http targets, and this one is ${given.kind}`;
      throw invalidRequest([{ pointer: "/signing_secret", detail }]);
    }
    const current = await getTarget(db, masterKey, { name: given.name });
    if (current === undefined) {
      const made = secret ?? generateSigningSecret();
      await createTarget(c, dependencies, { ...toTargetSettings(settings), managedBy }, made, "refuse");
      return secret === undefined && !isChatKind(given.kind) ? { new_signing_secret: made.text } : {};
    }
    const plan = (record: TargetRecord) => {
      // A target that the relay or a person has paused or disabled stays so, whatever is applied meanwhile.
      const state = given.state ?? record.state;
      return { ...toReplacement(record, settings), state, managedBy };
    };
    const newSecret = secret === undefined || hasSecret(dependencies, current, secret) ? undefined : secret;
    const mendedSecret = current.lost.includes("signing_secret") ? newSecret : undefined;
    // Not through updateTarget in any case: it would close the breaker of a target that did not change.
    if (mendedSecret !== undefined || !isDeepStrictEqual({ ...current, ...plan(current) }, current)) {
      await updateTarget(c, dependencies, current.id, (found) => plan({ ...current, ...found }), { mendedSecret });
    }
    if (newSecret !== undefined && mendedSecret === undefined) {
      await rotateTargetSecret(c, dependencies, current.id, newSecret, "revoke_after_24h");
    }
    return {};
  };
}

function hasSecret({ masterKey }: TargetsDependencies, { id, secrets }: TargetRecord, secret: SigningSecret): boolean {
  const current = secrets.filter(({ expiresAt }) => expiresAt === null).map((row) => openSecret(masterKey, id, row));
  return validKeys(current, Date.now()).some(({ key }) => key.equals(secret.key));
}

/** @param pullTargets the names of the pull targets that the same configuration makes. A preview of the key comes before them. */
export function putKey(given: ConfiguredKey, managedBy: string, pullTargets: ReadonlySet<string>): ApplyResource {
  return async (c, { db, adminApiKey }) => {
    const { name, scopes, expires_at: expiresAt, key } = given;
    await makeChange(c, db, async (tx, record) => {
      const isPreview = c.get("application")?.isPreview === true;
      const bound = await readScopes(tx, scopes, (target) => isPreview && pullTargets.has(target));
      const settings = { ...bound, expiresAt, managedBy };
      const current = await lockNamedKey(tx, name, key);
      if (current === undefined || !current.isGiven) {
        refuseLongerLife(callerOf(c).expiresAt, expiresAt);
        await refuseKnownKey(tx, key);
      }
      if (current === undefined) return makeKey(tx, record, key, { ...settings, name });
      const { isGiven, ...before } = current;
      if (isGiven && isDeepStrictEqual({ ...before, ...settings }, before)) return undefined;
      refuseManaged(c, "API key", before);
      if (isGiven) {
        if (!isDeepStrictEqual(before.expiresAt, expiresAt)) refuseLongerLife(callerOf(c).expiresAt, expiresAt);
        await changeApiKey(tx, before.id, settings);
        const after = showKey((await getApiKey(tx, before.id)) ?? before);
        return record({ action: "key.updated", resourceId: after.id, before: showKey(before), after });
      }
      // Another key with the same scopes takes its place, so that the last admin key can be replaced.
      await revokeKey(
        tx,
        record,
        before.id,
        adminApiKey !== undefined || (scopes.includes("admin") && expiresAt === null),
      );
      return makeKey(tx, record, key, { ...settings, name });
    });
    return {};
  };
}

async function makeKey(
  tx: Connection,
  record: RecordChange,
  key: string,
  settings: Parameters<typeof insertApiKey>[2],
): Promise<void> {
  const made = await getApiKey(tx, await insertApiKey(tx, key, settings));
  if (made !== undefined)
    await record({ action: "key.created", resourceId: formatId("key", made.id), after: showKey(made) });
}

async function revokeKey(tx: Connection, record: RecordChange, id: string, hasOtherAdmin: boolean): Promise<void> {
  const before = await getApiKey(tx, id);
  await revokeApiKey(tx, id, hasOtherAdmin);
  const after = await getApiKey(tx, id);
  if (before === undefined || after === undefined) return;
  await record({
    action: "key.revoked",
    resourceId: formatId("key", id),
    before: showKey(before),
    after: showKey(after),
  });
}

/** @throws SluiceError `invalid_request` for the text of another key, or of one that was revoked. */
async function refuseKnownKey(tx: Connection, key: string): Promise<void> {
  const name = await findNameOfKey(tx, key);
  if (name === undefined) return;
  const detail = `is, or was, the key ${JSON.stringify(name)}; make another one`;
  throw invalidRequest([{ pointer: "/key", detail }]);
}

export const removeManaged = {
  /** A built-in source is made again at each start: it stays, and nobody manages it any more. */
  source: (name: string): ApplyResource => {
    return async (c, dependencies) => {
      if (Object.hasOwn(BUILT_IN_SOURCES, name)) {
        await updateSource(c, dependencies, { name }, () => ({ settings: { managedBy: null } }));
      } else await deleteSource(c, dependencies, { name });
      return {};
    };
  },
  target: (name: string): ApplyResource => {
    return async (c, dependencies) => {
      await deleteTarget(c, dependencies, { name });
      return {};
    };
  },
  key: (id: string): ApplyResource => {
    return async (c, { db, adminApiKey }) => {
      await makeChange(c, db, async (tx, record) => {
        const current = await getApiKey(tx, id);
        if (current === undefined) throw new SluiceError("not_found", "There is no API key with this id");
        refuseManaged(c, "API key", current);
        await revokeKey(tx, record, id, adminApiKey !== undefined);
      });
      return {};
    };
  },
};
