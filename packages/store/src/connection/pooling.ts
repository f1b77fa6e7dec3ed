// What stands between this process and PostgreSQL. A transaction pooler, such as PgBouncer with pool_mode =
// transaction, gives each transaction of a connection any server session, so that nothing may be left in a session: no
// setting, no lock, no LISTEN.

import { randomUUID } from "node:crypto";

import pg from "pg";

import { SluiceError } from "@sluice/shared/runtime/errors";
import { within } from "@sluice/shared/runtime/within";

export type Pooling =
  /** Each connection is one session of PostgreSQL: directly, or by a pooler that pools sessions. */
  { kind: "session"; keepsPreparedStatements: boolean } | { kind: "transaction"; keepsPreparedStatements: boolean };

/** `auto` asks the pooler. `off` is for a pooler that claims to keep prepared statements and loses them. */
export type PreparedStatements = "auto" | "on" | "off";

const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_LIMIT_MS = 5_000;
/** How long the second connection may wait for a session while the first has one. */
const HOLD_LIMIT_MS = 2_000;
/** Other clients of the pooler may hide in one round that sessions change hands. */
const ROUNDS = 5;
/** PgBouncer's words for a BEGIN with pool_mode = statement. */
const STATEMENT_POOLING = /statement pooling/i;

/**
 * Finds out whether the connections of a URL keep their sessions. Leaves nothing in any session, except with a pooler
 * that is found to keep no prepared statements, where it removes the one that it made.
 * @throws SluiceError `invalid_configuration` for a pooler that allows no transactions.
 * @throws Error when PostgreSQL is away.
 */
export async function detectPooling(url: string, preparedStatements: PreparedStatements = "auto"): Promise<Pooling> {
  const [first, second] = [openProbe(url), openProbe(url)];
  try {
    await Promise.all([first.connect(), second.connect()]);
    if (await keepsSession(first, second)) {
      return { kind: "session", keepsPreparedStatements: preparedStatements !== "off" };
    }
    const keeps = preparedStatements === "auto" ? await renamesPreparedStatements(first) : preparedStatements === "on";
    return { kind: "transaction", keepsPreparedStatements: keeps };
  } catch (error) {
    if (!(error instanceof Error) || !STATEMENT_POOLING.test(error.message)) throw error;
    throw new SluiceError(
      "invalid_configuration",
      "The pooler in front of PostgreSQL pools single statements, and Sluice needs transactions: set its pool_mode " +
        "to transaction or session",
      { cause: error },
    );
  } finally {
    for (const client of [first, second]) client.end().catch(() => undefined);
  }
}

function openProbe(url: string): pg.Client {
  const client = new pg.Client({
    connectionString: url,
    application_name: "sluice-probe",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_LIMIT_MS,
    keepAlive: true,
  });
  // Without a listener, a lost connection would end the process.
  client.on("error", () => undefined);
  return client;
}

const readSession = async (client: pg.Client): Promise<number | undefined> =>
  (await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]?.pid;

/**
 * Whether the first client still has its session after the second client wanted one. A pooler of transactions either
 * gives the second client the session that the first has just used, or, having more of them, gives the first client
 * another one while the second holds a transaction, or when that has ended.
 */
async function keepsSession(first: pg.Client, second: pg.Client): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round++) {
    const session = await readSession(first);
    const holding = holdTransaction(second);
    const held = await within(HOLD_LIMIT_MS, holding);
    const isShared = held === session || (await readSession(first)) !== session;
    // The second client waits, and the first, which holds no transaction, is served: it has a session of its own, and
    // the pooler has no other.
    if (held === undefined && !isShared) {
      holding.catch(() => undefined);
      return true;
    }
    await holding;
    await second.query("COMMIT");
    if (isShared || (await readSession(first)) !== session) return false;
    // PostgreSQL itself tells a client its session when it connects. Poolers tell their clients an invented number.
    if (isOwnSession(first, session) && isOwnSession(second, held)) return true;
  }
  return true;
}

const isOwnSession = (client: pg.Client, session: number | undefined) =>
  // The types of pg lack this field of the client.
  (client as unknown as { processID: number | null }).processID === session;

async function holdTransaction(client: pg.Client): Promise<number | undefined> {
  await client.query("BEGIN");
  return readSession(client);
}

/**
 * Whether the pooler manages prepared statements, as PgBouncer does from 1.21 on with max_prepared_statements. Such a
 * pooler prepares each statement under a name of its own in every session that needs it.
 */
async function renamesPreparedStatements(client: pg.Client): Promise<boolean> {
  const name = `sluice_probe_${randomUUID().replaceAll("-", "")}`;
  await client.query("BEGIN");
  await client.query({ name, text: "SELECT" });
  const { rowCount } = await client.query("SELECT FROM pg_prepared_statements WHERE name = $1", [name]);
  if (rowCount !== 0) await client.query(`DEALLOCATE ${name}`);
  await client.query("COMMIT");
  return rowCount === 0;
}
