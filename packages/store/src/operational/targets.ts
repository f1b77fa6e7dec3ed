// Tells when a target begins to fail, when the relay disables it, and when it works again. `target_health` and `targets` say
// how a target is; what is told also says what the target answered last.

import { formatId, idFloor } from "@sluice/shared/domain/ids";

import { type Connection, runPrepared } from "../connection/database.ts";
import type { TargetState } from "../schema.ts";
import type { Told } from "./told.ts";
import { inUtc, OWN_SOURCES } from "./types.ts";

const FAILING = "sluice.target.failing";
const DISABLED = "sluice.target.disabled";
const RECOVERED = "sluice.target.recovered";

/** How far the clocks of workers, which make the ids of attempts, may be from PostgreSQL's. */
const CLOCKS_MS = 600_000;

/** Instants in UTC, so that they compare as texts. */
interface LookedAt extends Record<string, unknown> {
  id: string;
  name: string;
  state: TargetState;
  state_reason: string | null;
  state_changed_at: string;
  failing_since: string | null;
  last_success_at: string | null;
  is_disabled: boolean;
  is_failing: boolean;
  is_closed: boolean;
}

/** The few targets about which there may be something to tell, by an index each, or by the small table of health. */
const LOOK = `
SELECT t.id, t.name, t.state, t.state_reason, ${inUtc("t.state_changed_at")} AS state_changed_at,
  ${inUtc("h.failing_since")} AS failing_since, ${inUtc("h.last_success_at")} AS last_success_at,
  t.state_reason IS NOT NULL AND t.state IN ('disabled', 'disabled_due_to_failed_deliveries') AS is_disabled,
  t.state = 'enabled' AND coalesce(h.failing_since <= now() - $1::float8 * interval '1 s', false) AS is_failing,
  coalesce(h.openings, 0) = 0 AS is_closed
FROM targets t LEFT JOIN target_health h ON h.target_id = t.id
WHERE t.id IN (
  SELECT target_id FROM target_health WHERE failing_since <= now() - $1::float8 * interval '1 s'
  UNION SELECT id FROM targets WHERE state_reason IS NOT NULL
  UNION SELECT unnest($2::uuid[])
)
ORDER BY t.id`;

/** @param failingAfterSeconds for how long every attempt must have failed. */
export async function tellTargets(tx: Connection, told: Told, failingAfterSeconds: number): Promise<void> {
  const open = [...new Set([...told.listOpen(FAILING), ...told.listOpen(DISABLED)])];
  const rows = await runPrepared<LookedAt>(tx, {
    name: "look-at-targets",
    text: LOOK,
    values: [failingAfterSeconds, open],
  });
  for (const row of rows) await tellTarget(tx, told, row);
  const existing = new Set(rows.map(({ id }) => id));
  for (const id of open.filter((one) => !existing.has(one))) {
    // The target was deleted.
    for (const type of [FAILING, DISABLED] as const) await told.close(tx, type, id);
  }
}

async function tellTarget(tx: Connection, told: Told, row: LookedAt): Promise<void> {
  const { id } = row;
  const about = { id: formatId("tgt", id), target: row.name };
  if (row.is_disabled) {
    const toldSince = told.since(DISABLED, id);
    // It was enabled in between, and did not recover.
    if (toldSince !== null && toldSince < row.state_changed_at) await told.close(tx, DISABLED, id);
    const last = told.mayBegin(DISABLED, id) ? await findLastFailure(tx, id, row.state_changed_at) : undefined;
    if (last === undefined) return;
    const data = { ...about, state: row.state, reason: row.state_reason, disabled_at: row.state_changed_at };
    await told.begin(tx, DISABLED, id, row.state_changed_at, { ...data, ...last });
    return;
  }
  if (row.is_failing) {
    const last = told.mayBegin(FAILING, id) ? await findLastFailure(tx, id, row.failing_since) : undefined;
    if (last === undefined) return;
    const data = { ...about, failing_since: row.failing_since };
    await told.begin(tx, FAILING, id, row.failing_since, { ...data, ...last });
    return;
  }
  const ended = ([FAILING, DISABLED] as const).filter((type) => told.isOpen(type, id));
  const [first] = ended;
  if (first === undefined || row.failing_since !== null || !row.is_closed) return;
  // An operator who enables a target ends its row of failures. Only a success says that it works.
  const since = told.since(first, id);
  if (row.last_success_at === null || (since !== null && row.last_success_at <= since)) return;
  const data = { ...about, failing_since: since, recovered_at: row.last_success_at };
  await told.end(tx, RECOVERED, id, ended, data);
}

/**
 * The last failed attempt since about then. @returns undefined when only deliveries of the relay's own events failed, which
 * cause no event.
 */
async function findLastFailure(
  tx: Connection,
  targetId: string,
  since: string | null,
): Promise<{ last_error: string; last_status_code: number | null } | undefined> {
  const [row] = await runPrepared<{ error: string | null; status_code: number | null }>(tx, {
    name: "find-last-failure",
    text: `SELECT error, status_code FROM attempts
           WHERE target_id = $1 AND id >= $2::uuid AND (source_id = ANY ($3::uuid[])) IS NOT TRUE
             AND (error IS NOT NULL OR status_code NOT BETWEEN 200 AND 299)
           ORDER BY id DESC LIMIT 1`,
    values: [targetId, idFloor(Math.max(0, Date.parse(since ?? "1970-01-01") - CLOCKS_MS)), OWN_SOURCES],
  });
  if (row === undefined) return undefined;
  return { last_error: row.error ?? `the answer was ${row.status_code}`, last_status_code: row.status_code };
}
