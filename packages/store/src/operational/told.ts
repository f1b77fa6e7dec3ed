// What the relay has told: an event of one type about one subject at most once an hour, and the next one only after the
// first has ended. What comes and goes within the hour is told when the hour is over, if it still holds then.

import { sql } from "drizzle-orm";

import { type Connection, runPrepared } from "../connection/database.ts";
import { storeOperationalEvent } from "../delivery/relay-event.ts";
import { inUtc, type OperationalType } from "./types.ts";

const PAUSE = "1 hour";
/** Longer than anything is announced ahead, so that nothing is told again because it was forgotten. */
const KEPT = "30 days";

interface ToldRow extends Record<string, unknown> {
  type: OperationalType;
  subject: string;
  is_open: boolean;
  is_recent: boolean;
  since: string | null;
}

type Data = { id: string } & Record<string, unknown>;

export class Told {
  /** The targets whose lanes are to be woken after the transaction. */
  readonly woken = new Set<string>();
  readonly #rows: Map<string, ToldRow>;

  private constructor(rows: Map<string, ToldRow>) {
    this.#rows = rows;
  }

  /** @param tx MUST hold the lock of the look. */
  static async read(tx: Connection): Promise<Told> {
    await tx.orm.execute(
      sql.raw(
        `DELETE FROM told WHERE told_at < now() - interval '${KEPT}' AND (NOT is_open OR type = 'sluice.secret.expiring')`,
      ),
    );
    const rows = await runPrepared<ToldRow>(tx, {
      name: "read-told",
      text: `SELECT type, subject, is_open, told_at > now() - interval '${PAUSE}' AS is_recent, ${inUtc("since")} AS since FROM told`,
      values: [],
    });
    return new Told(new Map(rows.map((row) => [toldKeyOf(row.type, row.subject), row])));
  }

  isOpen(type: OperationalType, subject: string): boolean {
    return this.#rows.get(toldKeyOf(type, subject))?.is_open === true;
  }

  /** When what was told began: RFC 3339, in UTC. */
  since(type: OperationalType, subject: string): string | null {
    return this.#rows.get(toldKeyOf(type, subject))?.since ?? null;
  }

  /** The subjects about which listeners believe this. */
  listOpen(type: OperationalType): string[] {
    return [...this.#rows.values()].filter((row) => row.type === type && row.is_open).map(({ subject }) => subject);
  }

  /** Whether an event of the type may be told now: the caller need not find out more when not. */
  mayBegin(type: OperationalType, subject: string): boolean {
    const row = this.#rows.get(toldKeyOf(type, subject));
    return row === undefined || (!row.is_open && !row.is_recent);
  }

  /** Tells that something began, unless listeners believe that already. */
  async begin(tx: Connection, type: OperationalType, subject: string, since: string | null, data: Data): Promise<void> {
    if (this.mayBegin(type, subject)) await this.#tell(tx, { type, subject, isOpen: true, since }, data);
  }

  /** Tells that what is open of `ended` is over. */
  async end(
    tx: Connection,
    type: OperationalType,
    subject: string,
    ended: readonly OperationalType[],
    data: Data,
  ): Promise<void> {
    if (this.#rows.get(toldKeyOf(type, subject))?.is_recent === true) return;
    for (const each of ended) await this.close(tx, each, subject);
    await this.#tell(tx, { type, subject, isOpen: false, since: null }, data);
  }

  /** Tells of something that has no end. @returns whether it was told, or has to wait for the hour. */
  async happened(tx: Connection, type: OperationalType, subject: string, data: Data): Promise<boolean> {
    if (this.#rows.get(toldKeyOf(type, subject))?.is_recent === true) return false;
    await this.#tell(tx, { type, subject, isOpen: false, since: null }, data);
    return true;
  }

  /** Notes without an event that something is over. */
  async close(tx: Connection, type: OperationalType, subject: string): Promise<void> {
    const row = this.#rows.get(toldKeyOf(type, subject));
    if (row?.is_open !== true) return;
    row.is_open = false;
    await runPrepared(tx, {
      name: "close-told",
      text: "UPDATE told SET is_open = false WHERE type = $1 AND subject = $2",
      values: [type, subject],
    });
  }

  async #tell(
    tx: Connection,
    { type, subject, isOpen, since }: { type: OperationalType; subject: string; isOpen: boolean; since: string | null },
    data: Data,
  ): Promise<void> {
    await runPrepared(tx, {
      name: "note-told",
      text: `INSERT INTO told (type, subject, told_at, is_open, since) VALUES ($1, $2, now(), $3, $4)
             ON CONFLICT (type, subject) DO UPDATE SET told_at = now(), is_open = excluded.is_open, since = excluded.since`,
      values: [type, subject, isOpen, since],
    });
    this.#rows.set(toldKeyOf(type, subject), { type, subject, is_open: isOpen, is_recent: true, since });
    for (const targetId of await storeOperationalEvent(tx, type, data)) this.woken.add(targetId);
  }
}

const toldKeyOf = (type: string, subject: string) => `${type} ${subject}`;
