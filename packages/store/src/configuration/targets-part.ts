// The targets as a worker holds them in memory. A load brings only what changed since the copy that the worker has:
// with thousands of targets, a script that changes one after the other must not make every worker load all of them
// each time.

import { asc, eq, gt } from "drizzle-orm";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { MasterKey } from "@sluice/shared/settings/master-key";

import type { Connection, Database } from "../connection/database.ts";
import { configurationParts, targetRevisions, targets, targetSecrets } from "../schema.ts";
import { openChatUrl } from "./chat-url.ts";
import type { ConfigurationPart, LoadedCopy } from "./configuration-copy.ts";
import { FilterCache } from "./filter-cache.ts";
import { openSecret } from "./secrets.ts";
import { openTls } from "./target-tls.ts";
import { openHeaders, type Target } from "./targets.ts";

/** Every target by its id. A target that did not change between two copies is the same object in both. */
export type TargetMap = ReadonlyMap<string, Target>;

/** Longer than a process can go on with a copy that it does not bring up to date. Later it has to load all targets. */
const DELETIONS_KEPT = "1 day";

/** The copy before the first load. No deletion matters to it. */
const NOTHING_LOADED: LoadedCopy<TargetMap> = { revision: 0, value: new Map() };

export function targetsPart(masterKey: MasterKey): ConfigurationPart<TargetMap> {
  const filters = new FilterCache();
  return {
    name: "targets",
    load: async (on, known = NOTHING_LOADED) => {
      const loaded =
        (await loadSince(on, masterKey, filters, known)) ?? (await loadSince(on, masterKey, filters, NOTHING_LOADED));
      if (loaded !== undefined) return loaded;
      throw new SluiceError("internal", "The table configuration_parts has lost a row; restore the database");
    },
  };
}

/**
 * Loads what changed after a copy. @returns undefined when the copy is too old for that, or is newer than PostgreSQL,
 * which was restored from a backup.
 */
async function loadSince(
  on: Connection,
  masterKey: MasterKey,
  filters: FilterCache,
  known: LoadedCopy<TargetMap>,
): Promise<LoadedCopy<TargetMap> | undefined> {
  // One statement, so that the targets, their secrets and the revision are those of one moment.
  const rows = await on.orm
    .select({
      revision: configurationParts.revision,
      forgotten: configurationParts.forgottenRevision,
      changedId: targetRevisions.targetId,
      target: targets,
      secret: targetSecrets,
    })
    .from(configurationParts)
    .leftJoin(targetRevisions, gt(targetRevisions.revision, known.revision))
    .leftJoin(targets, eq(targets.id, targetRevisions.targetId))
    .leftJoin(targetSecrets, eq(targetSecrets.targetId, targets.id))
    .where(eq(configurationParts.part, "targets"))
    .orderBy(asc(targetRevisions.targetId), asc(targetSecrets.id));
  const [first] = rows;
  if (first === undefined) return undefined;
  const { revision, forgotten } = first;
  if (revision < known.revision || (known.revision > 0 && known.revision < forgotten)) return undefined;

  const value = new Map(known.value);
  const opened = new Set<string>();
  for (const { changedId, target: row, secret } of rows) {
    if (changedId === null) continue;
    if (row === null) {
      value.delete(changedId);
      continue;
    }
    if (!opened.has(row.id)) {
      opened.add(row.id);
      const { columns: sealed, tls } = openTls(masterKey, row);
      const { headersCiphertext, chatUrlCiphertext, filter, ...columns } = sealed;
      const headers = openHeaders(masterKey, row.id, headersCiphertext);
      const chatUrl = openChatUrl(masterKey, row.id, chatUrlCiphertext);
      value.set(row.id, { ...columns, headers, chatUrl, tls, filter: filters.open(filter), hmacKeys: [] });
    }
    if (secret !== null) value.get(row.id)?.hmacKeys.push(openSecret(masterKey, row.id, secret));
  }
  return { revision, value };
}

/** Forgets the deletions of targets that were deleted long ago. */
export async function pruneTargetRevisions(db: Database): Promise<void> {
  await db.pool.query(
    `WITH forgotten AS (
       DELETE FROM target_revisions WHERE is_deleted AND changed_at < now() - interval '${DELETIONS_KEPT}'
       RETURNING revision
     ),
     highest AS (SELECT max(revision) AS revision FROM forgotten)
     UPDATE configuration_parts SET forgotten_revision = greatest(forgotten_revision, highest.revision)
     FROM highest WHERE part = 'targets' AND highest.revision IS NOT NULL`,
  );
}
