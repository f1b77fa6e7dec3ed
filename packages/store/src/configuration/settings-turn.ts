// Whose turn it is to apply settings: one process at a time, and the others find nothing left to change.

import type { Database } from "../connection/database.ts";

/** Longer than any one resource takes. Whoever applies settings renews it with each resource. */
const TURN = "30 seconds";

/** Takes the turn, or renews it. @returns false while somebody else has it. */
export async function holdSettingsTurn(db: Database, holder: string): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `UPDATE settings_turn SET holder = $1, held_until = now() + interval '${TURN}'
     WHERE holder IS NULL OR holder = $1 OR held_until < now()`,
    [holder],
  );
  return rowCount === 1;
}

export async function endSettingsTurn(db: Database, holder: string): Promise<void> {
  await db.pool.query("UPDATE settings_turn SET holder = NULL WHERE holder = $1", [holder]);
}
