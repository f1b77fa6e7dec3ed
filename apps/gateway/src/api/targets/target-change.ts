// Every change of a target goes through here, from /v1/targets and from the WebhookService alike. `If-Match` is compared
// while the target is locked, the audit trail gets an entry if anything changed, and a worker is woken after the commit.

import type { Context } from "hono";

import { isChatKind } from "@sluice/shared/domain/target-kinds";
import type { SigningSecret } from "@sluice/signature/secret";
import type { Reference, TakenName } from "@sluice/store/configuration/names";
import type { Previous } from "@sluice/store/configuration/rotation";
import * as store from "@sluice/store/configuration/targets";
import type { Connection } from "@sluice/store/connection/database";
import { removeTarget } from "@sluice/store/delivery/deleted-targets";
import type { AuditAction } from "@sluice/store/requests/audit-actions";

import { wake } from "../acting/wake.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { requireMatch } from "../http/etag.ts";
import { refuseManaged } from "../http/managed.ts";
import { refuseForbiddenAddress } from "../http/forbidden-address.ts";
import { requireSigning } from "./chat-target.ts";
import { findTarget, lockTarget } from "./find-target.ts";
import type { TargetsDependencies } from "./target-endpoint.ts";
import { showTarget } from "./target-schema.ts";
import { refuseTlsWithoutHttps } from "./target-tls.ts";

/** How a part of the API treats targets. */
interface Manner {
  /** How it shows a target. `If-Match` holds the ETag of this view. */
  view: (record: store.TargetRecord) => object;
  takenName: TakenName;
  /** Whether it is also for what a file of settings manages: the state, which the file leaves alone unless it names it. */
  isForManaged?: boolean;
}

interface TargetUpdate extends Partial<Manner> {
  /** Takes the place of a signing secret that was lost, before the target is enabled. */
  mendedSecret?: SigningSecret | undefined;
}

export const OWN_MANNER: Manner = { view: showTarget, takenName: "refuse" };

/**
 * @param secret of a target that gets signed bodies; a chat target has none.
 * @throws SluiceError `name_taken`, and `invalid_request` for a refused address, and for settings of TLS without https.
 */
export async function createTarget(
  c: Context<ApiEnv>,
  { db, masterKey, addressGuard }: TargetsDependencies,
  settings: store.TargetSettings,
  secret: SigningSecret,
  takenName: TakenName,
): Promise<store.TargetRecord> {
  if (settings.kind !== "pull") refuseForbiddenAddress(addressGuard, settings.uri, "/uri");
  refuseTlsWithoutHttps(settings);
  return makeChange(c, db, async (tx, record) => {
    const signing = isChatKind(settings.kind) ? undefined : secret;
    const id = await store.insertTarget(tx, masterKey, settings, signing, takenName);
    const made = await findTarget(tx, masterKey, id);
    const after = showTarget(made);
    await record({ action: "target.created", resourceId: after.id, after });
    return made;
  });
}

/**
 * Changes the settings of a target.
 * @param change returns the settings to change, given the current ones.
 * @throws SluiceError `not_found`, `precondition_failed`, and what {@link createTarget} throws.
 */
export async function updateTarget(
  c: Context<ApiEnv>,
  dependencies: TargetsDependencies,
  reference: Reference,
  change: (current: store.TargetSettings) => Partial<store.TargetSettings>,
  update: TargetUpdate = {},
): Promise<store.TargetRecord> {
  const { view, takenName, isForManaged = false, mendedSecret } = { ...OWN_MANNER, ...update };
  const { masterKey, addressGuard } = dependencies;
  const refuseOrChange = (current: store.TargetSettings) => {
    const changed = change(current);
    if (changed.uri !== undefined && changed.uri !== current.uri) {
      refuseForbiddenAddress(addressGuard, changed.uri, "/uri");
    }
    refuseTlsWithoutHttps({ ...current, ...changed });
    return changed;
  };
  const work = async (tx: Connection, id: string) => {
    const isMended =
      mendedSecret !== undefined &&
      (await store.addTargetSecret(tx, masterKey, id, mendedSecret, "revoke_immediately"));
    return (await store.changeTargetSettings(tx, masterKey, id, refuseOrChange, takenName)) || isMended;
  };
  return changeUnderLock(c, dependencies, { reference, action: "target.updated", view, isForManaged, work });
}

/**
 * Adds a signing secret to a target.
 * @param previous what happens to its earlier secrets.
 * @throws SluiceError `not_found`, `wrong_kind`, `precondition_failed`, `limit_reached`, and `invalid_request` for a secret
 * that the target already has.
 */
export async function rotateTargetSecret(
  c: Context<ApiEnv>,
  dependencies: TargetsDependencies,
  id: string,
  secret: SigningSecret,
  previous: Exclude<Previous, "keep">,
  { view }: Pick<Manner, "view"> = OWN_MANNER,
): Promise<store.TargetRecord> {
  const work = async (tx: Connection, _: string, current: store.TargetRecord) => {
    requireSigning(current);
    return store.addTargetSecret(tx, dependencies.masterKey, id, secret, previous);
  };
  return changeUnderLock(c, dependencies, { reference: id, action: "target.secret_rotated", view, work });
}

/** @throws SluiceError `not_found`, `precondition_failed` */
export async function deleteTarget(
  c: Context<ApiEnv>,
  { db, masterKey }: TargetsDependencies,
  reference: Reference,
  { view }: Pick<Manner, "view"> = OWN_MANNER,
): Promise<void> {
  await makeChange(c, db, async (tx, record) => {
    const current = await lockTarget(tx, masterKey, reference);
    requireMatch(c, view(current));
    refuseManaged(c, "target", current);
    await removeTarget(tx, current.id);
    const before = showTarget(current);
    await record({ action: "target.deleted", resourceId: before.id, before });
  });
}

async function changeUnderLock(
  c: Context<ApiEnv>,
  dependencies: TargetsDependencies,
  change: {
    reference: Reference;
    action: AuditAction;
    view: Manner["view"];
    isForManaged?: boolean;
    /** Returns whether anything changed. */
    work: (tx: Connection, id: string, current: store.TargetRecord) => Promise<boolean>;
  },
): Promise<store.TargetRecord> {
  const { db, masterKey } = dependencies;
  const { reference, action, view, isForManaged = false, work } = change;
  const changed = await makeChange(c, db, async (tx, record) => {
    const current = await lockTarget(tx, masterKey, reference);
    requireMatch(c, view(current));
    if (!isForManaged) refuseManaged(c, "target", current);
    if (!(await work(tx, current.id, current))) return current;
    const result = await findTarget(tx, masterKey, current.id);
    const [before, after] = [showTarget(current), showTarget(result)];
    await record({ action, resourceId: after.id, before, after });
    return result;
  });
  // This also wakes a worker when the target was enabled before. A needless wake-up finds nothing to claim.
  if (changed.state === "enabled") wake(dependencies, changed.id);
  return changed;
}
