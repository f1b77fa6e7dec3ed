-- The first schema. Every id is a UUIDv7, so an id is also a time: the log tables are partitioned by
-- ranges of ids, which is by day, and newest-first is descending id.

-- The smallest UUIDv7 of an instant; an id made at or after it is not less.
CREATE FUNCTION uuid_floor(at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
--> statement-breakpoint

-- One row. `revision` grows with every change to a source or a target, so that a gateway or a worker
-- can tell with one number whether what it holds in memory is still true.
CREATE TABLE configuration (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  revision bigint NOT NULL,
  -- A known text under the master key: a wrong key is found at start and not at the first delivery.
  master_key_check bytea
);
--> statement-breakpoint
INSERT INTO configuration (revision) VALUES (1);
--> statement-breakpoint

CREATE FUNCTION bump_configuration_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE configuration SET revision = revision + 1;
  RETURN NULL;
END $$;
--> statement-breakpoint

CREATE TABLE sources (
  id uuid PRIMARY KEY,
  name text NOT NULL UNIQUE,
  kind text NOT NULL CHECK (kind IN ('static', 'dynamic')),
  schemes text[] NOT NULL,
  tolerance_seconds integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE TABLE source_secrets (
  id uuid PRIMARY KEY,
  source_id uuid NOT NULL REFERENCES sources ON DELETE CASCADE,
  ciphertext bytea NOT NULL,
  truncated text NOT NULL,
  -- The end of a rotation's overlap; null while it is current.
  expires_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE INDEX source_secrets_source ON source_secrets (source_id);
--> statement-breakpoint
CREATE TABLE targets (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  uri text NOT NULL,
  subscribed_events text[] NOT NULL,
  state text NOT NULL DEFAULT 'enabled'
    CHECK (state IN ('enabled', 'paused', 'disabled', 'disabled_due_to_failed_deliveries')),
  -- Encrypted as a whole: a header is where an internal service's credentials stand.
  headers_ciphertext bytea,
  timeout_seconds integer NOT NULL,
  max_in_flight integer NOT NULL,
  retry_base_seconds double precision NOT NULL,
  retry_cap_seconds double precision NOT NULL,
  retry_horizon_seconds double precision NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE TABLE target_secrets (
  id uuid PRIMARY KEY,
  target_id uuid NOT NULL REFERENCES targets ON DELETE CASCADE,
  ciphertext bytea NOT NULL,
  truncated text NOT NULL,
  expires_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE INDEX target_secrets_target ON target_secrets (target_id);
--> statement-breakpoint
CREATE TRIGGER sources_revision AFTER INSERT OR UPDATE OR DELETE ON sources
  FOR EACH STATEMENT EXECUTE FUNCTION bump_configuration_revision();
--> statement-breakpoint
CREATE TRIGGER source_secrets_revision AFTER INSERT OR UPDATE OR DELETE ON source_secrets
  FOR EACH STATEMENT EXECUTE FUNCTION bump_configuration_revision();
--> statement-breakpoint
CREATE TRIGGER targets_revision AFTER INSERT OR UPDATE OR DELETE ON targets
  FOR EACH STATEMENT EXECUTE FUNCTION bump_configuration_revision();
--> statement-breakpoint
CREATE TRIGGER target_secrets_revision AFTER INSERT OR UPDATE OR DELETE ON target_secrets
  FOR EACH STATEMENT EXECUTE FUNCTION bump_configuration_revision();
--> statement-breakpoint
CREATE TABLE api_keys (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  -- SHA-256. A key is 256 random bits, so a slow hash would add nothing.
  hash bytea NOT NULL UNIQUE,
  scopes text[] NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint

-- The dedupe ledger: (source, webhook id) is one event. Not partitioned, because its key must be
-- unique over all days.
CREATE TABLE event_keys (
  source_id uuid NOT NULL,
  webhook_id text NOT NULL,
  event_id uuid NOT NULL,
  PRIMARY KEY (source_id, webhook_id)
);
--> statement-breakpoint
-- By age, for pruning: an event id is a time.
CREATE INDEX event_keys_event ON event_keys (event_id);
--> statement-breakpoint

CREATE TABLE events (
  id uuid PRIMARY KEY,
  source_id uuid NOT NULL,
  webhook_id text NOT NULL,
  -- Null where the body names none: any body with a valid signature is an event.
  type text,
  -- As the payload states it; null where it does not.
  occurred_at timestamptz,
  received_at timestamptz NOT NULL,
  scheme text NOT NULL,
  user_metadata jsonb,
  content_type text,
  body bytea NOT NULL
) PARTITION BY RANGE (id);
--> statement-breakpoint
CREATE INDEX events_webhook_id ON events (webhook_id);
--> statement-breakpoint

-- A delivery's id has the milliseconds of its event's id and a hash of (event, target), so (event, target)
-- is unique by the primary key, a delivery lives in its event's partition range, and the deliveries of an
-- event are found by a range of ids without an index of their own.
CREATE TABLE deliveries (
  id uuid PRIMARY KEY,
  event_id uuid NOT NULL,
  target_id uuid NOT NULL,
  source_id uuid NOT NULL,
  event_type text,
  webhook_id text NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'succeeded', 'exhausted', 'cancelled')),
  attempt_count integer NOT NULL DEFAULT 0,
  -- When it is due, and null when it is finished. Whoever takes a delivery in hand pushes this into the
  -- future by a lease and sets `leased_by`, which tells a lease from a schedule and fences late outcomes.
  next_attempt_at timestamptz,
  leased_by uuid,
  -- Why the next attempt is made.
  next_trigger text NOT NULL CHECK (next_trigger IN ('initial', 'retry', 'manual')),
  deadline_at timestamptz NOT NULL,
  last_status_code integer,
  last_error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  CONSTRAINT deliveries_due CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
) PARTITION BY RANGE (id);
--> statement-breakpoint
-- Only unfinished deliveries are in it, so claiming costs the same beside a log of any size.
CREATE INDEX deliveries_due ON deliveries (target_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
--> statement-breakpoint
CREATE INDEX deliveries_target ON deliveries (target_id, id);
--> statement-breakpoint
CREATE INDEX deliveries_not_succeeded ON deliveries (status, id) WHERE status <> 'succeeded';
--> statement-breakpoint

CREATE TABLE attempts (
  id uuid PRIMARY KEY,
  delivery_id uuid NOT NULL,
  number integer NOT NULL,
  trigger text NOT NULL CHECK (trigger IN ('initial', 'retry', 'manual')),
  started_at timestamptz NOT NULL,
  duration_ms double precision NOT NULL,
  status_code integer,
  error text,
  response_excerpt text
) PARTITION BY RANGE (id);
--> statement-breakpoint
CREATE INDEX attempts_delivery ON attempts (delivery_id);
--> statement-breakpoint

CREATE TABLE rejections (
  id uuid PRIMARY KEY,
  source_id uuid NOT NULL,
  reason text NOT NULL,
  webhook_id text,
  remote_address text,
  size_bytes integer,
  created_at timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (id);
--> statement-breakpoint

-- Makes the day partitions from first_day to last_day (UTC, both included) that do not exist yet.
-- ATTACH, and not CREATE … PARTITION OF: the latter locks the parent against every read and write.
-- MUST be serialised by the caller's advisory lock: see store/partitions.ts.
CREATE FUNCTION ensure_partitions(first_day date, last_day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  day date;
  part text;
BEGIN
  FOR day IN SELECT generate_series(first_day, last_day, interval '1 day')::date LOOP
    FOREACH parent IN ARRAY ARRAY['events', 'deliveries', 'attempts', 'rejections'] LOOP
      part := parent || '_' || to_char(day, 'YYYYMMDD');
      CONTINUE WHEN to_regclass(part) IS NOT NULL;
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
        uuid_floor(day::timestamp AT TIME ZONE 'UTC'), uuid_floor((day + 1)::timestamp AT TIME ZONE 'UTC'));
    END LOOP;
  END LOOP;
END $$;
--> statement-breakpoint
SELECT ensure_partitions((now() AT TIME ZONE 'UTC')::date - 1, (now() AT TIME ZONE 'UTC')::date + 7);
