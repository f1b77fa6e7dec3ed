// Every change of a target goes through here, from /v1/targets and from the WebhookService alike. `If-Match` is compared
// while the target is locked, the audit trail gets an entry, and a worker is woken after the commit.

import type { Context } from "hono";

import { formatId } from "@sluice/shared/domain/ids";
import type { SigningSecret } from "@sluice/signature/secret";
import type { Previous } from "@sluice/store/configuration/rotation";
import * as store from "@sluice/store/configuration/targets";
import type { Connection } from "@sluice/store/connection/database";
import { removeTarget } from "@sluice/store/delivery/deleted-targets";

import { wake } from "../acting/wake.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { makeChange } from "../http/change.ts";
import { requireMatch } from "../http/etag.ts";
import { refuseForbiddenAddress } from "../http/forbidden-address.ts";
import { findTarget, lockTarget } from "./find-target.ts";
import type { TargetsDependencies } from "./target-endpoint.ts";
import { showTarget } from "./target-schema.ts";
import { refuseTlsWithoutHttps } from "./target-tls.ts";

/** How this part of the API shows a target. `If-Match` holds the ETag of this view. */
type View = (record: store.TargetRecord) => object;

/** @throws SluiceError `invalid_request` for a refused address, and for settings of TLS without https. */
export async function createTarget(
  c: Context<ApiEnv>,
  { db, masterKey, addressGuard }: TargetsDependencies,
  settings: store.TargetSettings,
  secret: SigningSecret,
): Promise<store.TargetRecord> {
  refuseForbiddenAddress(addressGuard, settings.uri, "/uri");
  refuseTlsWithoutHttps(settings);
  return makeChange(c, db, async (tx, record) => {
    const made = await findTarget(tx, masterKey, await store.insertTarget(tx, masterKey, settings, secret));
    const after = showTarget(made);
    await record({ action: "target.created", resourceId: after.id, after });
    return made;
  });
}

/**
 * Changes the settings of a target.
 * @param change returns the settings to change, given the current ones.
 * @throws SluiceError `not_found`, `precondition_failed`, and `invalid_request` as {@link createTarget}.
 */
export async function updateTarget(
  c: Context<ApiEnv>,
  dependencies: TargetsDependencies,
  id: string,
  change: (current: store.TargetSettings) => Partial<store.TargetSettings>,
  view: View = showTarget,
): Promise<store.TargetRecord> {
  const { masterKey, addressGuard } = dependencies;
  const work = (tx: Connection) =>
    store.changeTargetSettings(tx, masterKey, id, (current) => {
      const changed = change(current);
      if (changed.uri !== undefined && changed.uri !== current.uri) {
        refuseForbiddenAddress(addressGuard, changed.uri, "/uri");
      }
      refuseTlsWithoutHttps({ ...current, ...changed });
      return changed;
    });
  return changeUnderLock(c, dependencies, { id, action: "target.updated", view, work });
}

/**
 * Adds a signing secret to a target.
 * @param previous what happens to its earlier secrets.
 * @throws SluiceError `not_found`, `precondition_failed`, `limit_reached`, and `invalid_request` for a secret that the
 * target already has.
 */
export async function rotateTargetSecret(
  c: Context<ApiEnv>,
  dependencies: TargetsDependencies,
  id: string,
  secret: SigningSecret,
  previous: Exclude<Previous, "keep">,
  view: View = showTarget,
): Promise<store.TargetRecord> {
  const work = (tx: Connection) => store.addTargetSecret(tx, dependencies.masterKey, id, secret, previous);
  return changeUnderLock(c, dependencies, { id, action: "target.secret_rotated", view, work });
}

/** @throws SluiceError `not_found`, `precondition_failed` */
export async function deleteTarget(
  c: Context<ApiEnv>,
  { db, masterKey }: TargetsDependencies,
  id: string,
  view: View = showTarget,
): Promise<void> {
  await makeChange(c, db, async (tx, record) => {
    const current = await lockTarget(tx, masterKey, id);
    requireMatch(c, view(current));
    await removeTarget(tx, id);
    const before = showTarget(current);
    await record({ action: "target.deleted", resourceId: before.id, before });
  });
}

async function changeUnderLock(
  c: Context<ApiEnv>,
  dependencies: TargetsDependencies,
  change: { id: string; action: `target.${string}`; view: View; work: (tx: Connection) => Promise<unknown> },
): Promise<store.TargetRecord> {
  const { db, masterKey } = dependencies;
  const { id, action, view, work } = change;
  const changed = await makeChange(c, db, async (tx, record) => {
    const before = await lockTarget(tx, masterKey, id);
    requireMatch(c, view(before));
    await work(tx);
    const after = await findTarget(tx, masterKey, id);
    const shown = { before: showTarget(before), after: showTarget(after) };
    await record({ action, resourceId: formatId("tgt", id), ...shown });
    return after;
  });
  // This also wakes a worker when the target was enabled before. A needless wake-up finds nothing to claim.
  if (changed.state === "enabled") wake(dependencies, id);
  return changed;
}
