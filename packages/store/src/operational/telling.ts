// One look at the relay, which tells its operators by operational events what has changed since the last look. A look is one
// transaction under the lock of one row: what is told and the memory of it are committed together, so that each change is told
// exactly once, however many workers look and whenever one dies.

import { newId } from "@sluice/shared/domain/ids";

import { type Connection, type Database, runPrepared } from "../connection/database.ts";
import { lacksPartition, withPartitions } from "../connection/partitions.ts";
import { tellExhausted } from "./exhausted.ts";
import { tellProblems } from "./problems.ts";
import { tellCertificates, tellSecrets } from "./secrets.ts";
import { type SetAsideSight, tellSetAside } from "./set-aside.ts";
import { tellSources } from "./sources.ts";
import { tellTargets } from "./targets.ts";
import { Told } from "./told.ts";

export interface TellingSettings {
  targetFailingAfterSeconds: number;
  relayDegradedAfterSeconds: number;
  /** Refusals in ten minutes; 0 for never. */
  sourceFailingRefusals: number;
}

export interface Look {
  /** The targets whose lanes are to be woken. */
  woken: string[];
  /** The parts of the look that failed, and are done again with the next one. */
  failures: { part: string; error: unknown }[];
}

/** Whether the last look, of any worker, began long enough ago. */
export async function isLookDue(db: Database, everyMs: number): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: "look-due",
    text: "SELECT FROM telling WHERE looked_at <= now() - $1::float8 * interval '1 ms'",
    values: [everyMs],
  });
  return rowCount === 1;
}

/**
 * @param setAside what the queue has set aside, as it was a moment ago.
 * @returns undefined when another worker looks, or has just looked.
 */
export async function lookAndTell(
  db: Database,
  settings: TellingSettings,
  { everyMs, setAside, readsCertificates }: { everyMs: number; setAside: SetAsideSight[]; readsCertificates: boolean },
): Promise<Look | undefined> {
  const work = async (tx: Connection): Promise<Look | undefined> => {
    const turn = await runPrepared(tx, {
      name: "take-look",
      text: "SELECT FROM telling WHERE looked_at <= now() - $1::float8 * interval '1 ms' FOR UPDATE SKIP LOCKED",
      values: [everyMs],
    });
    if (turn.length === 0) return undefined;
    const told = await Told.read(tx);
    const parts: [string, (part: Connection) => Promise<void>][] = [
      ["targets", (part) => tellTargets(part, told, settings.targetFailingAfterSeconds)],
      ["exhausted", (part) => tellExhausted(part, told)],
      ["problems", (part) => tellProblems(part, told, settings.relayDegradedAfterSeconds)],
      ["set_aside", (part) => tellSetAside(part, told, setAside)],
      ["sources", (part) => tellSources(part, told, settings.sourceFailingRefusals)],
      ["secrets", (part) => tellSecrets(part, told)],
      ...(readsCertificates
        ? [["certificates", (part: Connection) => tellCertificates(part, told)] as [string, () => Promise<void>]]
        : []),
    ];
    const failures: Look["failures"] = [];
    for (const [part, tell] of parts) {
      try {
        // A savepoint: a part that fails MUST NOT keep the others from being told.
        await tx.orm.transaction((orm) => tell({ orm }));
      } catch (error) {
        if (lacksPartition(error)) throw error;
        failures.push({ part, error });
      }
    }
    await runPrepared(tx, { name: "note-look", text: "UPDATE telling SET looked_at = now()", values: [] });
    return { woken: [...told.woken], failures };
  };
  // Today's partition may be missing, because an operational event is a row of the log.
  return withPartitions(db, [newId()], () => db.orm.transaction((orm) => work({ orm })));
}
