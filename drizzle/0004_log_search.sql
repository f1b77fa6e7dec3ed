-- What the log is searched by. Deliveries change with every attempt, and each change writes every index that holds
-- the row: so their new indexes hold failures alone, and what an event says of itself is indexed with the event.

ALTER TABLE events
  -- `data.id` of the payload: the job that the event is about.
  ADD COLUMN data_id text;
--> statement-breakpoint
-- Of the delivery, which never change: the attempts of a target are a range of one index.
ALTER TABLE attempts
  ADD COLUMN target_id uuid,
  ADD COLUMN source_id uuid,
  ADD COLUMN event_type text;
--> statement-breakpoint

-- What a label or an entry of user_metadata is found by. 64 bits of a hash, because a row is written for each: who
-- finds an event by its term compares the entry as well.
CREATE FUNCTION event_term(kind text, key text, value text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ('x' || left(encode(sha256(convert_to(kind || E'\n' || key || E'\n' || value, 'UTF8')), 'hex'), 16))::bit(64)::bigint;
--> statement-breakpoint
-- All terms of an event: of each label; and of each entry of user_metadata one for its key alone and, where the value
-- is no longer than a filter can be, one with the value.
CREATE FUNCTION event_terms_of(labels jsonb, user_metadata jsonb) RETURNS SETOF bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT event_term('label', key, value) FROM jsonb_each_text(labels)
  UNION SELECT event_term('metadata-key', key, '') FROM jsonb_each_text(user_metadata)
  UNION SELECT event_term('metadata', key, value) FROM jsonb_each_text(user_metadata) WHERE length(value) <= 256;
END;
--> statement-breakpoint
-- For each term the events that have it, by id: a page of them is read from one place of the index, however common the
-- term is. A GIN index over the columns knows no order, and so reads every event of a common one.
CREATE TABLE event_terms (
  term bigint NOT NULL,
  event_id uuid NOT NULL,
  PRIMARY KEY (term, event_id)
) PARTITION BY RANGE (event_id);
--> statement-breakpoint

-- As in the first migration, with the new table.
CREATE OR REPLACE FUNCTION ensure_partitions(first_day date, last_day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  day date;
  part text;
BEGIN
  FOR day IN SELECT generate_series(first_day, last_day, interval '1 day')::date LOOP
    FOREACH parent IN ARRAY ARRAY['events', 'event_terms', 'deliveries', 'attempts', 'rejections'] LOOP
      part := parent || '_' || to_char(day, 'YYYYMMDD');
      CONTINUE WHEN to_regclass(part) IS NOT NULL;
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
        uuid_floor(day::timestamp AT TIME ZONE 'UTC'), uuid_floor((day + 1)::timestamp AT TIME ZONE 'UTC'));
    END LOOP;
  END LOOP;
END $$;
--> statement-breakpoint
SELECT ensure_partitions(day, day) FROM (
  SELECT DISTINCT to_date(right(part.relname, 8), 'YYYYMMDD') AS day
  FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid WHERE inhparent = 'events'::regclass
) AS days;
--> statement-breakpoint

-- Any body with a valid signature is an event, so not every one is JSON.
CREATE FUNCTION pg_temp.data_id(body bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  id jsonb := convert_from(body, 'UTF8')::jsonb #> '{data,id}';
BEGIN
  RETURN CASE WHEN jsonb_typeof(id) = 'string' AND length(id #>> '{}') BETWEEN 1 AND 256 THEN id #>> '{}' END;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN NULL;
END $$;
--> statement-breakpoint
UPDATE events SET data_id = pg_temp.data_id(body) WHERE pg_temp.data_id(body) IS NOT NULL;
--> statement-breakpoint
INSERT INTO event_terms (term, event_id)
SELECT term, id FROM events, event_terms_of(labels, user_metadata) AS term
WHERE labels IS NOT NULL OR user_metadata IS NOT NULL;
--> statement-breakpoint
UPDATE attempts SET target_id = d.target_id, source_id = d.source_id, event_type = d.event_type
FROM deliveries d WHERE d.id = attempts.delivery_id;
--> statement-breakpoint

CREATE INDEX events_source ON events (source_id, id);
--> statement-breakpoint
-- "C", in which the types that start with `batch.` follow one another.
CREATE INDEX events_type ON events (type COLLATE "C", id);
--> statement-breakpoint
CREATE INDEX events_data_id ON events (data_id, id) WHERE data_id IS NOT NULL;
--> statement-breakpoint

CREATE INDEX deliveries_status_code ON deliveries (last_status_code, id) WHERE last_status_code NOT BETWEEN 200 AND 299;
--> statement-breakpoint
CREATE INDEX deliveries_status_class ON deliveries ((last_status_code / 100), id)
  WHERE last_status_code NOT BETWEEN 200 AND 299;
--> statement-breakpoint
CREATE INDEX deliveries_error ON deliveries (id) WHERE last_error IS NOT NULL;
--> statement-breakpoint
CREATE INDEX deliveries_repeated ON deliveries (id) WHERE attempt_count > 1;
--> statement-breakpoint

CREATE INDEX attempts_target ON attempts (target_id, id);
--> statement-breakpoint
CREATE INDEX attempts_status_code ON attempts (status_code, id) WHERE status_code NOT BETWEEN 200 AND 299;
--> statement-breakpoint
CREATE INDEX attempts_status_class ON attempts ((status_code / 100), id) WHERE status_code NOT BETWEEN 200 AND 299;
--> statement-breakpoint
CREATE INDEX attempts_error ON attempts (id) WHERE error IS NOT NULL;
--> statement-breakpoint
CREATE INDEX attempts_repeated ON attempts (trigger, id) WHERE trigger <> 'initial';
--> statement-breakpoint

CREATE INDEX rejections_reason ON rejections (reason, id);
--> statement-breakpoint
CREATE INDEX rejections_webhook_id ON rejections (webhook_id, id) WHERE webhook_id IS NOT NULL;
--> statement-breakpoint
CREATE INDEX rejections_remote_address ON rejections (remote_address, id) WHERE remote_address IS NOT NULL;
