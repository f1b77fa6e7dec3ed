// Tells once that something will expire by which somebody proves who they are. What the relay itself rotates at Gemini is left
// out: nobody has to do anything about it.

import { type IdPrefix, formatId } from "@sluice/shared/domain/ids";
import { readCertificates } from "@sluice/shared/settings/certificates";

import { type Connection, runPrepared } from "../connection/database.ts";
import type { Told } from "./told.ts";
import { inUtc } from "./types.ts";

const EXPIRING = "sluice.secret.expiring";

/** How long before, for what somebody has to renew. */
const NOTICE_DAYS = 7;
/** And how long before, for what a rotation replaced: its overlap is a day. */
const OVERLAP_HOURS = 6;
const DAY_MS = 86_400_000;

type SecretKind = "api_key" | "signing_secret" | "ingress_token" | "client_certificate" | "ca_certificate";

interface Expiring extends Record<string, unknown> {
  kind: SecretKind;
  /** What has the secret, or is it: an API key, a source or a target. */
  prefix: IdPrefix;
  owner_id: string;
  name: string;
  /** The end of it, as the API shows it. */
  shown: string;
  secret_id: string;
  expires_at: string;
}

// A key that was made for a day is not told when it is made: three quarters of its life come first.
const FIND = `
SELECT 'api_key' AS kind, 'key' AS prefix, id AS owner_id, name, truncated AS shown, id::text AS secret_id,
  ${inUtc("expires_at")} AS expires_at FROM api_keys
WHERE revoked_at IS NULL AND expires_at > now() AND expires_at <= now() + interval '${NOTICE_DAYS} days'
  AND now() >= created_at + 0.75 * (expires_at - created_at)
UNION ALL
SELECT 'signing_secret', 'src', o.id, o.name, s.truncated, s.id::text, ${inUtc("s.expires_at")}
FROM source_secrets s JOIN sources o ON o.id = s.source_id
WHERE s.expires_at > now() AND s.expires_at <= now() + interval '${OVERLAP_HOURS} hours'
  AND NOT EXISTS (SELECT FROM upstreams u WHERE u.source_id = o.id)
UNION ALL
SELECT 'ingress_token', 'src', o.id, o.name, s.truncated, s.id::text, ${inUtc("s.expires_at")}
FROM ingress_tokens s JOIN sources o ON o.id = s.source_id
WHERE s.expires_at > now() AND s.expires_at <= now() + interval '${OVERLAP_HOURS} hours'
UNION ALL
SELECT 'signing_secret', 'tgt', o.id, o.name, s.truncated, s.id::text, ${inUtc("s.expires_at")}
FROM target_secrets s JOIN targets o ON o.id = s.target_id
WHERE s.expires_at > now() AND s.expires_at <= now() + interval '${OVERLAP_HOURS} hours'`;

export async function tellSecrets(tx: Connection, told: Told): Promise<void> {
  const rows = await runPrepared<Expiring>(tx, { name: "find-expiring", text: FIND, values: [] });
  for (const row of rows) await tell(tx, told, row);
}

/** Certificates are read from their text, which takes longer: to be called less often. */
export async function tellCertificates(tx: Connection, told: Told): Promise<void> {
  const rows = await runPrepared<{
    id: string;
    name: string;
    tls_ca: string | null;
    tls_client_certificate: string | null;
  }>(tx, {
    name: "find-certificates",
    text: `SELECT id, name, tls_ca, tls_client_certificate FROM targets
             WHERE tls_ca IS NOT NULL OR tls_client_certificate IS NOT NULL ORDER BY id`,
    values: [],
  });
  const lastMs = Date.now() + NOTICE_DAYS * DAY_MS;
  for (const { id, name, tls_ca: ca, tls_client_certificate: own } of rows) {
    const certificates = [
      ...readCertificates(own ?? "")
        .slice(0, 1)
        .map((one) => ({ kind: "client_certificate" as const, one })),
      ...readCertificates(ca ?? "").map((one) => ({ kind: "ca_certificate" as const, one })),
    ];
    for (const { kind, one } of certificates) {
      const at = one.validToDate;
      if (at.getTime() > lastMs || at.getTime() <= Date.now()) continue;
      const shown = one.subject.replaceAll("\n", ", ");
      await tell(tx, told, {
        kind,
        prefix: "tgt",
        owner_id: id,
        name,
        shown,
        secret_id: one.fingerprint256,
        expires_at: at.toISOString(),
      });
    }
  }
}

async function tell(tx: Connection, told: Told, secret: Expiring): Promise<void> {
  const { kind, prefix, owner_id: ownerId, name, shown, secret_id: secretId, expires_at: expiresAt } = secret;
  await told.begin(tx, EXPIRING, [kind, ownerId, secretId, expiresAt].join(" "), null, {
    id: formatId(prefix, ownerId),
    name,
    kind,
    shown,
    expires_at: expiresAt,
  });
}
