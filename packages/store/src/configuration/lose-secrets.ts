// What is left when the master key is lost: everything that was encrypted with it is removed, and noted, so that people
// can set it anew. A source without a secret answers 503, so that senders come back; a target that lacks something is
// paused, so that its deliveries wait. Triggers (`mend_lost_secret`) take off the list what is set anew.

import type pg from "pg";

import { formatId } from "@sluice/shared/domain/ids";

import type { LostSecretKind } from "../schema.ts";
import { ENCRYPTED_COLUMNS, recordRekey } from "./rekey.ts";

export interface LostSecret {
  owner: "source" | "target";
  /** A UUID. */
  ownerId: string;
  name: string;
  what: LostSecretKind;
  truncated: string | null;
}

const REASON = "Secrets of the target were lost with the master key: set them anew, then resume the target";

/** The values that {@link ENCRYPTED_COLUMNS} names, each removed in its way. Answers to requests are lost for good. */
const LOSE = [
  `INSERT INTO lost_secrets (owner_id, what, truncated)
   SELECT source_id, 'signing_secret', (array_agg(truncated ORDER BY id DESC))[1] FROM source_secrets GROUP BY 1
   UNION ALL
   SELECT target_id, 'signing_secret', (array_agg(truncated ORDER BY id DESC))[1] FROM target_secrets GROUP BY 1
   UNION ALL
   SELECT source_id, 'gemini_api_key', truncated FROM gemini_keys
   UNION ALL
   SELECT id, 'headers', NULL FROM targets WHERE headers_ciphertext IS NOT NULL
   UNION ALL
   SELECT id, 'tls_client_key', tls_server_name FROM targets WHERE tls_client_key_ciphertext IS NOT NULL
   UNION ALL
   SELECT id, 'chat_url', uri FROM targets WHERE chat_url_ciphertext IS NOT NULL
   ON CONFLICT (owner_id, what) DO UPDATE SET truncated = excluded.truncated, lost_at = excluded.lost_at`,
  "DELETE FROM source_secrets",
  "DELETE FROM target_secrets",
  "DELETE FROM gemini_keys",
  // The triggers take an update of these columns for a mend, so the list is put back below.
  "CREATE TEMPORARY TABLE kept_lost ON COMMIT DROP AS SELECT * FROM lost_secrets",
  `UPDATE targets SET headers_ciphertext = NULL, tls_client_key_ciphertext = NULL, tls_client_certificate = NULL,
     chat_url_ciphertext = NULL,
     state = CASE state WHEN 'enabled' THEN 'paused' ELSE state END, state_changed_at = now(),
     state_reason = CASE WHEN state IN ('enabled', 'paused') THEN $1 ELSE state_reason END
   WHERE id IN (SELECT owner_id FROM lost_secrets)`,
  "INSERT INTO lost_secrets SELECT * FROM kept_lost ON CONFLICT DO NOTHING",
  "UPDATE idempotency_keys SET answer = NULL, took_effect = true, claimed_until = now() WHERE answer IS NOT NULL",
];

const LIST = `
SELECT owner, owner_id AS "ownerId", name, what, truncated FROM lost_secrets JOIN (
  SELECT 'source' AS owner, id, name FROM sources UNION ALL SELECT 'target', id, name FROM targets
) AS owners ON id = owner_id
ORDER BY owner, name, what`;

/** MUST run in a transaction in which no process uses the database. @returns everything that is to be set anew. */
export async function loseSecrets(client: pg.Client): Promise<LostSecret[]> {
  for (const statement of LOSE) await client.query(statement, statement.includes("$1") ? [REASON] : []);
  for (const { table, column } of ENCRYPTED_COLUMNS) {
    const { rows } = await client.query(`SELECT FROM ${table} WHERE ${column} IS NOT NULL LIMIT 1`);
    if (rows.length > 0) throw new Error(`A value of ${table}.${column} was not removed`);
  }
  const lost = await listLostSecrets(client);
  const secrets = lost.map(({ owner, ownerId, name, what }) => ({
    [owner]: showOwner({ owner, ownerId }),
    name,
    what,
  }));
  await recordRekey(client, { action: "relay.master_key_lost", after: { lost_secrets: secrets } });
  return lost;
}

/** The id of a source or a target as people see it. */
export const showOwner = ({ owner, ownerId }: Pick<LostSecret, "owner" | "ownerId">): string =>
  formatId(owner === "source" ? "src" : "tgt", ownerId);

/** What was lost and is not set anew yet. */
export async function listLostSecrets(client: pg.Client): Promise<LostSecret[]> {
  return (await client.query<LostSecret>(LIST)).rows;
}
