// A transaction that a test holds open, so that it decides when what was written in it appears.

import { type Database, runPrepared } from "@sluice/store/connection/database";

export interface OpenTransaction {
  /** Everything that is done with it happens in the transaction. */
  tx: Database;
  commit: () => Promise<void>;
}

export async function openTransaction(db: Database): Promise<OpenTransaction> {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<Database>();
  const committed = db.orm.transaction(async (orm) => {
    const query = async ({ text, values }: { text: string; values: unknown[] }) => ({
      rows: await runPrepared({ orm }, { name: "", text, values }),
    });
    begin({ ...db, orm, pool: { query } } as unknown as Database);
    await ended;
  });
  const commit = () => {
    end();
    return committed;
  };
  return { tx: await Promise.race([begun, committed.then(() => begun)]), commit };
}
