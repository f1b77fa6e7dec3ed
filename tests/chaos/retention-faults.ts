// A transaction that nobody ends: a backup that runs for hours, or a forgotten BEGIN. Retention cannot drop a partition
// that the transaction has read.

import pg from "pg";

import { within } from "@sluice/shared/runtime/within";

import type { Member } from "../support/member.ts";
import { runSql } from "../support/sql.ts";
import { until } from "../support/wait.ts";
import { type Fault, TAKEOVER_LIMIT_MS } from "./fault.ts";
import type { Stage } from "./stage.ts";

const LOG_TABLES = ["attempts", "deliveries", "event_terms", "events", "rejections"];
/** Days that are past every retention. */
const OVERDUE = { first: "2020-01-01", last: "2020-01-03" };
/** The last of the days ahead for which a worker makes partitions, such as `20300131`. */
const LAST_DAY_AHEAD = new Date(Date.now() + 7 * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "");

/** Opens a transaction that has read every log table, and keeps it open. @returns what ends it. */
async function openTransaction({ postgres }: Stage): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: postgres.url, application_name: "sluice-test" });
  // A connection that the stage cuts at its end.
  client.on("error", () => undefined);
  await client.connect();
  await client.query("BEGIN");
  for (const table of LOG_TABLES) await client.query(`SELECT count(*) FROM ${table}`);
  return () => client.end();
}

/** @returns what is wrong with the restart. */
async function restart(worker: Member): Promise<string[]> {
  const restarted = worker.restart().then(
    () => [],
    (error: unknown) => [`${worker.name} did not start again: ${String(error)}`],
  );
  return (await within(TAKEOVER_LIMIT_MS, restarted)) ?? [`${worker.name} was not ready in time after its restart`];
}

async function countPartitions(url: string, condition: string): Promise<number> {
  const [row] = await runSql(
    url,
    `SELECT count(*)::int AS n FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent
       JOIN pg_class part ON part.oid = inhrelid
     WHERE parent.relname = ANY($1) AND right(part.relname, 8) ${condition}`,
    [LOG_TABLES],
  );
  return Number(row?.["n"]);
}

/** Makes the next worker that starts drop what is past retention, which one of them does every hour. */
async function makeDropDue(url: string): Promise<void> {
  await runSql(url, "UPDATE retention_state SET next_drop_at = now()");
}

async function countOverdueDays(url: string): Promise<number> {
  const [row] = await runSql(url, "SELECT overdue_days FROM retention_state");
  return Number(row?.["overdue_days"]);
}

export const retentionFaults: Fault[] = [
  {
    name: "open-transaction",
    about:
      "a transaction that has read the log stays open to the end, while retention is due and workers are restarted",
    mustNotRepeat: "an orderly stop finishes the deliveries in progress",
    inject: async (stage) => {
      const { workers, postgres } = stage;
      const { url } = postgres;
      await runSql(url, "SELECT ensure_partitions($1::date, $2::date)", [OVERDUE.first, OVERDUE.last]);
      // As after a night: the last of the days ahead has no partitions yet.
      for (const table of LOG_TABLES) await runSql(url, `DROP TABLE ${table}_${LAST_DAY_AHEAD}`);
      const endTransaction = await openTransaction(stage);
      stage.atEnd(endTransaction);
      await makeDropDue(url);
      const broken: string[] = [];
      // The first worker meets the transaction when it drops partitions, and the others meet the first worker.
      for (const worker of workers) broken.push(...(await restart(worker)));
      return async (limitFactor) => {
        const made = await countPartitions(url, `= '${LAST_DAY_AHEAD}'`);
        if (made < LOG_TABLES.length)
          broken.push(`${LOG_TABLES.length - made} partitions of the days ahead are missing`);
        if ((await countOverdueDays(url)) === 0) broken.push("no worker has met the transaction, or none says so");
        await endTransaction();
        await makeDropDue(url);
        await workers[0]?.restart();
        const timeoutMs = TAKEOVER_LIMIT_MS * limitFactor;
        const left = () => countPartitions(url, `<= '${OVERDUE.last.replaceAll("-", "")}'`);
        await until(left, { accept: (count) => count === 0, timeoutMs }).catch(() =>
          broken.push("the overdue partitions stay when the transaction is over"),
        );
        return broken;
      };
    },
    recoverLimitMs: TAKEOVER_LIMIT_MS,
  },
];
