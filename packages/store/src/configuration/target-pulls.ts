// When a target pulled last, and the pull targets that nobody needs any more: a developer's machine makes one and is closed.

import { formatId } from "@sluice/shared/domain/ids";

import { type Database, runPrepared } from "../connection/database.ts";
import { removeTarget } from "../delivery/deleted-targets.ts";
import { type Author, recordChange } from "../requests/audit.ts";

/** Writes at most once a minute, also when several gateways call it. A target that was deleted meanwhile is no error. */
export async function notePull(db: Database, targetId: string): Promise<void> {
  await db.pool.query({
    name: "note-pull",
    text: `INSERT INTO target_pulls AS known (target_id, last_pulled_at)
           SELECT id, now() FROM targets WHERE id = $1 FOR KEY SHARE
           ON CONFLICT (target_id) DO UPDATE SET last_pulled_at = now()
           WHERE known.last_pulled_at < now() - interval '1 minute'`,
    values: [targetId],
  });
}

/** The target as the audit trail shows it. */
interface IdleTarget extends Record<string, unknown> {
  id: string;
  name: string;
  delete_after_idle_seconds: number;
  last_pulled_at: string | null;
}

// A target that was made or changed is needed, although nobody has pulled yet. What a file manages would only come back.
const IDLE = `
SELECT t.id, t.name, t.delete_after_idle_seconds, to_char(p.last_pulled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS last_pulled_at
FROM targets t LEFT JOIN target_pulls p ON p.target_id = t.id
WHERE t.kind = 'pull' AND t.managed_by IS NULL
  AND greatest(p.last_pulled_at, t.created_at, t.updated_at) < now() - t.delete_after_idle_seconds * interval '1 s'
ORDER BY t.id LIMIT $1 FOR UPDATE OF t SKIP LOCKED`;

/**
 * Deletes pull targets that nobody pulled for as long as they allow, each with an entry in the audit trail.
 * @returns the ids and names of the deleted targets, at most `limit`.
 */
export async function deleteIdleTargets(
  db: Database,
  author: Author,
  limit: number,
): Promise<{ id: string; name: string }[]> {
  return db.orm.transaction(async (orm) => {
    const tx = { orm };
    const idle = await runPrepared<IdleTarget>(tx, { name: "idle-targets", text: IDLE, values: [limit] });
    for (const { id, ...before } of idle) {
      await removeTarget(tx, id);
      const resourceId = formatId("tgt", id);
      await recordChange(tx, author, { action: "target.deleted", resourceId, before: { id: resourceId, ...before } });
    }
    return idle;
  });
}
