// The figures of the whole relay for the metrics, as they are now. Every gateway reads them, and all say the same. They
// come from tables whose size follows what waits and what there is to configure, and never from the log.

import { asc, count, gt, inArray, notInArray, sql } from "drizzle-orm";

import type { Database } from "../connection/database.ts";
import { listBusiestTargets, MAX_NAMED_TARGETS, OTHER_TARGETS } from "../journal/busiest-targets.ts";
import { readStatsLag } from "../journal/stats-count.ts";
import { targetHealth, type TargetState, targets, workers } from "../schema.ts";

/** A worker gives a sign of life twice a second. The others take it for dead after 45 seconds. */
const ALIVE = "20 seconds";
/** How long a choice of the busiest targets holds. */
const CHOICE_MS = 600_000;

export interface TargetFigures {
  /** How many targets are in each state: one of one, unless the figures are of several targets. */
  states: Partial<Record<TargetState, number>>;
  openBreakers: number;
  /** The number of pending deliveries. */
  waiting: number;
  /** The age of the oldest pending delivery, to the minute; 0 when there is none. */
  oldestWaitingSeconds: number;
}

export interface RelayFigures {
  /** By the name of the target; OTHER_TARGETS for all targets together that have no series of their own. */
  targets: ReadonlyMap<string, TargetFigures>;
  statsLagSeconds: number;
  /** The workers that gave a sign of life just now. */
  workers: number;
}

/** Reads the figures, and remembers which targets have a name in them when there are many. */
export class RelayFiguresReader {
  readonly #db: Database;
  #choice: { ids: string[]; untilMs: number } | undefined;

  constructor(db: Database) {
    this.#db = db;
  }

  async read(): Promise<RelayFigures> {
    // By the primary key, and no further than to see whether there are many.
    const first = await this.#selectTargets()
      .orderBy(asc(targets.id))
      .limit(MAX_NAMED_TARGETS + 1);
    const isAll = first.length <= MAX_NAMED_TARGETS;
    const named = isAll ? first : await this.#selectTargets().where(inArray(targets.id, await this.#choose()));
    const ids = named.map(({ id }) => id);
    const [others, breakers, waiting, statsLagSeconds, alive] = await Promise.all([
      isAll ? [] : this.#countOtherStates(ids),
      this.#listOpenBreakers(),
      this.#sumWaiting(ids),
      readStatsLag(this.#db),
      this.#countWorkers(),
    ]);
    const names = new Map(named.map(({ id, name }) => [id, name]));
    const figures = new Map<string, TargetFigures>();
    const figuresOf = (id: string | null) => {
      const name = names.get(id ?? "") ?? OTHER_TARGETS;
      const known = figures.get(name) ?? { states: {}, openBreakers: 0, waiting: 0, oldestWaitingSeconds: 0 };
      figures.set(name, known);
      return known;
    };
    const addState = (id: string | null, state: TargetState, number: number) => {
      const { states } = figuresOf(id);
      states[state] = (states[state] ?? 0) + number;
    };
    for (const { id, state } of named) addState(id, state, 1);
    for (const { state, number } of others) addState(null, state, number);
    for (const id of breakers) figuresOf(id).openBreakers += 1;
    for (const { targetId, deliveries, oldestSeconds } of waiting) {
      const sums = figuresOf(targetId);
      sums.waiting += deliveries;
      sums.oldestWaitingSeconds = Math.max(sums.oldestWaitingSeconds, oldestSeconds);
    }
    return { targets: figures, statsLagSeconds, workers: alive };
  }

  #selectTargets() {
    return this.#db.orm.select({ id: targets.id, name: targets.name, state: targets.state }).from(targets).$dynamic();
  }

  async #choose(): Promise<string[]> {
    if (this.#choice === undefined || performance.now() >= this.#choice.untilMs)
      this.#choice = { ids: await listBusiestTargets(this.#db), untilMs: performance.now() + CHOICE_MS };
    return this.#choice.ids;
  }

  /** Reads the whole table `targets`, which is no part of the log. */
  #countOtherStates(ids: string[]) {
    return this.#db.orm
      .select({ state: targets.state, number: count() })
      .from(targets)
      .where(notInArray(targets.id, ids))
      .groupBy(targets.state);
  }

  /** By the index of the targets that are ailing: few rows. */
  async #listOpenBreakers(): Promise<string[]> {
    const rows = await this.#db.orm
      .select({ targetId: targetHealth.targetId })
      .from(targetHealth)
      .where(gt(targetHealth.openings, 0));
    return rows.map(({ targetId }) => targetId);
  }

  /** @returns one row for each of these targets that has pending deliveries, and one for all others. */
  async #sumWaiting(ids: readonly string[]) {
    const { rows } = await this.#db.pool.query<{ targetId: string | null; deliveries: number; oldestSeconds: number }>(
      `SELECT CASE WHEN target_id = ANY($1::uuid[]) THEN target_id END AS "targetId",
         greatest(sum(waiting), 0)::float8 AS deliveries,
         coalesce(greatest(extract(epoch FROM now() - min(since) FILTER (WHERE waiting > 0)), 0), 0)::float8 AS "oldestSeconds"
       FROM stats_waiting GROUP BY 1`,
      [ids],
    );
    return rows;
  }

  async #countWorkers(): Promise<number> {
    const [row] = await this.#db.orm
      .select({ alive: count() })
      .from(workers)
      .where(gt(workers.seenAt, sql.raw(`now() - interval '${ALIVE}'`)));
    return row?.alive ?? 0;
  }
}
