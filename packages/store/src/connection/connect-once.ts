// One connection for a command that works through a database from one end to the other, and takes as long as it takes.

import pg from "pg";

const CONNECT_TIMEOUT_MS = 5_000;

/** @param url MUST NOT lead to a transaction pooler. */
export async function connectOnce(url: string, applicationName: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    // A table may take hours, so that no statement has a time limit; keep-alive notices when the server is lost.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // Without a listener, a lost connection would end the process. The statement that ran on it fails and says why.
  client.on("error", () => undefined);
  await client.connect();
  // A role may have limits of its own for its common statements.
  await client.query("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0");
  return client;
}
