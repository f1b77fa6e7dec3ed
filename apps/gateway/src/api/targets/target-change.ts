// Changes of targets, the same for both views that the API has of them: compared with `If-Match` under the lock, recorded
// in the audit trail, and made known to the workers once they are committed.

import { formatId } from "@sluice/shared/domain/ids";
import type { SigningSecret } from "@sluice/signature/secret";
import type { Connection } from "@sluice/store/connection/database";
import type { Previous } from "@sluice/store/configuration/rotation";
import * as store from "@sluice/store/configuration/targets";
import { removeTarget } from "@sluice/store/delivery/deleted-targets";
import type { Context } from "hono";

import { makeChange } from "../http/change.ts";
import { requireMatch } from "../http/etag.ts";
import { invalidRequest } from "../http/invalid-request.ts";
import type { ApiEnv } from "../http/api-env.ts";
import { existing, findTarget, type TargetsDependencies } from "./target-endpoint.ts";
import { showTarget } from "./target-schema.ts";
import { wake } from "../acting/wake.ts";

/** How the caller sees a target, which is what its `If-Match` is of. */
type View = (record: store.TargetRecord) => object;

/** @throws SluiceError `invalid_request` for an address that is refused. */
export async function createTarget(
  c: Context<ApiEnv>,
  { db, masterKey, addressGuard }: TargetsDependencies,
  settings: store.TargetSettings,
  secret: SigningSecret,
): Promise<store.TargetRecord> {
  refuseAddress(addressGuard, settings.uri);
  return makeChange(c, db, async (tx, record) => {
    const made = await findTarget(tx, masterKey, await store.insertTarget(tx, masterKey, settings, secret));
    const after = showTarget(made);
    await record({ action: "target.created", resourceId: after.id, after });
    return made;
  });
}

/**
 * Changes a target by what `change` makes of its settings.
 * @throws SluiceError `not_found`, `precondition_failed`, `invalid_request` for an address that is refused.
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
      if (changed.uri !== undefined && changed.uri !== current.uri) refuseAddress(addressGuard, changed.uri);
      return changed;
    });
  return changeUnderLock(c, dependencies, { id, action: "target.updated", view, work });
}

/** @throws SluiceError `not_found`, `limit_reached`, and `invalid_request` for a secret that it has. */
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
    const current = existing(await store.getTargetForChange(tx, masterKey, id));
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
    const before = existing(await store.getTargetForChange(tx, masterKey, id));
    requireMatch(c, view(before));
    await work(tx);
    const after = await findTarget(tx, masterKey, id);
    const shown = { before: showTarget(before), after: showTarget(after) };
    await record({ action, resourceId: formatId("tgt", id), ...shown });
    return after;
  });
  // Also where it was enabled before: a wake-up too many finds nothing to claim.
  if (changed.state === "enabled") wake(dependencies, id);
  return changed;
}

/**
 * For who makes the mistake to see it at once. It is the worker that keeps a target from such an address, whatever DNS
 * says then. @throws SluiceError `invalid_request`
 */
function refuseAddress(guard: TargetsDependencies["addressGuard"], uri: string): void {
  const reason = guard.refuseHost(new URL(uri).hostname);
  if (reason !== undefined)
    throw invalidRequest([{ pointer: "/uri", detail: `is an address that is refused: ${reason}` }]);
}
