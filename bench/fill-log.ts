// SQL fills a log with deliveries over several days. The log is skewed like a real one: a few targets, sources and types
// have most of the deliveries, 19 of 20 deliveries succeed at the first attempt, and every column has rare values.

import type { Database } from "@sluice/store/connection/database";
import { ensurePartitions } from "@sluice/store/connection/partitions";

const DAY_MS = 86_400_000;
/** Two events have three deliveries in total. */
const EVENTS_PER_DELIVERY = 2 / 3;

/** The UUID of the nth source or target of the log. */
export const sourceOf = (n: number) => `018f0000-0000-7000-8000-5000000000${n.toString(16).padStart(2, "0")}`;
export const targetOf = (n: number) => `018f0000-0000-7000-8000-7000000000${n.toString(16).padStart(2, "0")}`;

const DRAFTS = `
CREATE TEMPORARY TABLE draft AS
SELECT i, at, md5(i || 'e') AS h, random() AS r1, random() AS r2, random() AS r3, random() AS r4,
  (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(i || 'e'), 1, 3) || '8' ||
    substr(md5(i || 'e'), 4, 15))::uuid AS id
FROM (SELECT $1::bigint + i AS i, $2::timestamptz + i * ($3::float8 / $4::float8) * interval '1 ms' AS at
      FROM generate_series(0, $4::int - 1) AS i) AS spread`;

// One source has 60 % of the events, the next one 30 %, …, the last one 0.05 %. The types are spread in the same way.
const EVENTS = `
INSERT INTO events (id, source_id, webhook_id, type, received_at, scheme, user_metadata, content_type, body, labels, data_id)
SELECT id, ('018f0000-0000-7000-8000-5000000000' || CASE WHEN r1 < 0.6 THEN '00' WHEN r1 < 0.9 THEN '01'
    WHEN r1 < 0.99 THEN '02' WHEN r1 < 0.9995 THEN '03' ELSE '04' END)::uuid,
  'msg_' || h,
  CASE WHEN r2 < 0.55 THEN 'batch.succeeded' WHEN r2 < 0.85 THEN 'interaction.completed' WHEN r2 < 0.93 THEN 'batch.failed'
    WHEN r2 < 0.99 THEN 'video.generated' WHEN r2 < 0.9995 THEN 'batch.cancelled' ELSE 'batch.expired' END,
  at, 'v1',
  CASE WHEN r3 < 0.2 THEN jsonb_build_object('tier', CASE WHEN r3 < 0.0002 THEN 'gold' ELSE 'free' END, 'run', 'r' || i / 50) END,
  'application/json',
  convert_to(json_build_object('type', 'batch.succeeded', 'data', json_build_object('id', 'batch_' || i))::text, 'UTF8'),
  CASE WHEN r4 < 0.3 THEN jsonb_build_object('team', CASE WHEN r4 < 0.0002 THEN 'legal' WHEN r4 < 0.1 THEN 'billing' ELSE 'search' END) END,
  'batch_' || i / 2
FROM draft`;

const TERMS = `
INSERT INTO event_terms (term, event_id)
SELECT term, events.id FROM draft JOIN events USING (id), event_terms_of(labels, user_metadata) AS term
WHERE labels IS NOT NULL OR user_metadata IS NOT NULL`;

const DELIVERIES = `
INSERT INTO deliveries (id, event_id, target_id, source_id, event_type, webhook_id, status, attempt_count, next_attempt_at,
  next_trigger, deadline_at, last_status_code, last_error, created_at, finished_at)
SELECT (substr(e.id::text, 1, 13) || '-7' || substr(md5(e.id::text || k), 1, 3) || '-8' || substr(md5(e.id::text || k), 4, 3)
    || '-' || substr(md5(e.id::text || k), 7, 12))::uuid,
  e.id, ('018f0000-0000-7000-8000-7000000000' || lpad(to_hex(target), 2, '0'))::uuid, e.source_id, e.type, e.webhook_id,
  status, attempts, CASE WHEN status = 'pending' THEN now() + interval '1 hour' END,
  'retry', e.received_at + interval '1 day',
  CASE WHEN status = 'succeeded' THEN CASE WHEN target % 2 = 0 THEN 200 ELSE 204 END
    WHEN kind < 0.5 THEN 503 WHEN kind < 0.6 THEN 500 WHEN kind < 0.7 THEN 404 WHEN kind < 0.701 THEN 418 END,
  CASE WHEN status <> 'succeeded' AND kind >= 0.701
    THEN CASE WHEN kind < 0.85 THEN 'timeout: no complete response within 30 s' WHEN kind < 0.9999
      THEN 'connection: connect ECONNREFUSED 10.0.0.' || target ELSE 'connection: certificate has expired' END END,
  e.received_at, CASE WHEN status <> 'pending' THEN e.received_at + interval '1 s' END
FROM (SELECT events.*, draft.i FROM draft JOIN events USING (id)) AS e
CROSS JOIN LATERAL generate_series(1, 1 + (e.i % 2)::int) AS k
CROSS JOIN LATERAL (SELECT CASE WHEN e.i % 5000 = 4999 THEN 11 ELSE floor(11 * power(random(), 2.5))::int END AS target,
  random() AS fate, random() AS kind, random() AS more WHERE e.i >= 0) AS drawn
CROSS JOIN LATERAL (SELECT
  CASE WHEN fate < 0.98 THEN 'succeeded' WHEN fate < 0.995 THEN 'exhausted' WHEN fate < 0.998 THEN 'pending' ELSE 'cancelled' END AS status,
  CASE WHEN fate < 0.95 THEN 1 ELSE 2 + floor(8 * more * more)::int END AS attempts) AS outcome`;

const ATTEMPTS = `
INSERT INTO attempts (id, delivery_id, number, trigger, started_at, duration_ms, status_code, error, response_excerpt,
  target_id, source_id, event_type)
SELECT (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(d.id::text || n), 1, 3) || '8' ||
    substr(md5(d.id::text || n), 4, 15))::uuid,
  d.id, n, CASE WHEN n = 1 THEN 'initial' WHEN n = 9 THEN 'manual' ELSE 'retry' END, at, random() * 300,
  CASE WHEN n < d.attempt_count THEN 503 ELSE d.last_status_code END, CASE WHEN n = d.attempt_count THEN d.last_error END,
  'ok', d.target_id, d.source_id, d.event_type
FROM deliveries d CROSS JOIN LATERAL generate_series(1, d.attempt_count) AS n
CROSS JOIN LATERAL (SELECT d.created_at + n * n * interval '20 s' AS at) AS timed
WHERE d.id >= uuid_floor($1::timestamptz) AND d.id < uuid_floor($2::timestamptz)`;

const REJECTIONS = `
INSERT INTO rejections (id, source_id, reason, detail, webhook_id, remote_address, size_bytes, created_at)
SELECT id, '${sourceOf(0)}',
  CASE WHEN r1 < 0.8 THEN 'signature_mismatch' WHEN r1 < 0.9995 THEN 'stale_timestamp' ELSE 'too_large' END,
  'no signature matches', 'msg_' || h, '192.0.2.' || floor(power(r2, 3) * 250)::int, 100, at
FROM draft WHERE i % 20 = 0`;

/** A statement for one day takes longer than the relay lets a statement run. */
const unhurried = (text: string, values: unknown[] = []) => ({ text, values, query_timeout: 600_000 });

/** @returns the time of the first event, in milliseconds since 1970. The last event is from now. */
export async function fillLog(db: Database, deliveries: number, days: number): Promise<number> {
  const nowMs = Date.now();
  const startMs = nowMs - days * DAY_MS;
  // The last attempts are repeated tomorrow, so their partition must exist.
  await ensurePartitions(db, startMs, nowMs + DAY_MS);
  const perDay = Math.ceil((deliveries * EVENTS_PER_DELIVERY) / days);
  const client = await db.pool.connect();
  try {
    for (let day = 0; day < days; day++) {
      const fromMs = startMs + day * DAY_MS;
      const [from, to] = [fromMs, fromMs + DAY_MS].map((ms) => new Date(ms).toISOString());
      await client.query(unhurried(DRAFTS, [day * perDay, from, DAY_MS, perDay]));
      for (const statement of [EVENTS, TERMS, DELIVERIES, REJECTIONS]) await client.query(unhurried(statement));
      await client.query(unhurried(ATTEMPTS, [from, to]));
      await client.query("DROP TABLE draft");
    }
  } finally {
    client.release();
  }
  // A log that grew slowly was vacuumed by autovacuum.
  await db.pool.query(unhurried("VACUUM (ANALYZE)"));
  return startMs;
}
