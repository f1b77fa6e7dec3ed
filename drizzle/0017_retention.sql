-- Retention that waits for nobody: partitions are made whatever is being dropped, a drop gives up where it would have
-- to wait, and unfinished deliveries are kept in small partitions of their own.

-- As before, with two differences. It takes its own lock, which no drop holds, and only when a partition is missing. A
-- day that a partition of kept rows covers is not missing.
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
      CONTINUE WHEN EXISTS (
        SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = parent::regclass AND relname ~ '_kept_[0-9]{8}_[0-9]{8}$'
          AND to_char(day, 'YYYYMMDD') BETWEEN left(right(relname, 17), 8) AND right(relname, 8));
      -- "parm" in ASCII. Its holder makes tables, and waits for no transaction of others.
      PERFORM pg_advisory_xact_lock(1885434477);
      CONTINUE WHEN to_regclass(part) IS NOT NULL;
      BEGIN
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
          uuid_floor(day::timestamp AT TIME ZONE 'UTC'), uuid_floor((day + 1)::timestamp AT TIME ZONE 'UTC'));
      EXCEPTION WHEN duplicate_table OR unique_violation THEN
        -- A worker of an older version has made it. That worker uses another lock.
        NULL;
      END;
    END LOOP;
  END LOOP;
END $$;
--> statement-breakpoint

-- Brings the copy of the unfinished deliveries between two ids up to date, with their events and attempts, in the
-- tables <table>_keeping. `since` is null for the first time. Later it is a transaction from before the first time, and
-- only what changed since is copied, because the tables are locked then. `copied` is the number of copied deliveries.
CREATE FUNCTION copy_unfinished(lower uuid, upper uuid, since xid8, INOUT copied bigint)
LANGUAGE plpgsql SET plan_cache_mode = auto AS $$
DECLARE
  total bigint;
  changed uuid[];
  fresh_events uuid[];
  affected bigint;
BEGIN
  SELECT count(*), array_agg(id) FILTER (WHERE since IS NULL OR age(xmin) <= age(since::xid)) INTO total, changed
  FROM deliveries WHERE id >= lower AND id < upper AND next_attempt_at IS NOT NULL;
  DELETE FROM deliveries_keeping USING unnest(changed) AS c (id) WHERE deliveries_keeping.id = c.id;
  GET DIAGNOSTICS affected = ROW_COUNT;
  copied := copied - affected;
  INSERT INTO deliveries_keeping
  SELECT s.* FROM unnest(changed) AS c (id) JOIN deliveries s ON s.id = c.id
  WHERE s.id >= lower AND s.id < upper AND s.next_attempt_at IS NOT NULL;
  GET DIAGNOSTICS affected = ROW_COUNT;
  copied := copied + affected;
  INSERT INTO attempts_keeping
  SELECT s.* FROM unnest(changed) AS c (id) JOIN attempts s ON s.delivery_id = c.id WHERE s.id >= lower AND s.id < upper
  ON CONFLICT DO NOTHING;
  fresh_events := ARRAY(
    SELECT DISTINCT k.event_id FROM unnest(changed) AS c (id) JOIN deliveries_keeping k ON k.id = c.id
    WHERE NOT EXISTS (SELECT FROM events_keeping e WHERE e.id = k.event_id));
  INSERT INTO events_keeping
  SELECT s.* FROM unnest(fresh_events) AS c (id) JOIN events s ON s.id = c.id WHERE s.id >= lower AND s.id < upper;
  INSERT INTO event_terms_keeping (term, event_id)
  SELECT term, k.id FROM unnest(fresh_events) AS c (id) JOIN events_keeping k ON k.id = c.id
    CROSS JOIN event_terms_of(k.labels, k.user_metadata) AS term
  WHERE k.labels IS NOT NULL OR k.user_metadata IS NOT NULL;
  -- Everything unfinished is in the copy. If there is more in it, some deliveries were finished since.
  IF since IS NOT NULL AND copied <> total THEN
    DELETE FROM deliveries_keeping k WHERE NOT EXISTS (
      SELECT FROM deliveries s WHERE s.id = k.id AND s.id >= lower AND s.id < upper AND s.next_attempt_at IS NOT NULL);
    copied := total;
  END IF;
END $$;
--> statement-breakpoint

-- Removes the partitions of the days from first_day to last_day. What belongs to an unfinished delivery is kept, in one
-- partition for these days: <table>_kept_<first_day>_<last_day>. The rows are copied first. Then one short step locks
-- the tables, copies what changed meanwhile, and puts the new partitions in place of the old ones. So a delivery that
-- somebody retries at the last moment is kept too.
--
-- Nobody waits for long: it gives up each lock after 50 ms. `outcome` then is `tables_busy` (a transaction has locked a
-- whole table) or `days_busy` (these partitions), and nothing has changed. `running` means that another session is at
-- it, and `retired` that it is done.
CREATE FUNCTION retire_days(
  first_day date, last_day date, OUT outcome text, OUT dropped text[], OUT kept_deliveries bigint
) LANGUAGE plpgsql SET lock_timeout = '50ms' SET enable_seqscan = on SET enable_hashjoin = on
SET plan_cache_mode = auto AS $$
DECLARE
  lower uuid := uuid_floor(first_day::timestamp AT TIME ZONE 'UTC');
  upper uuid := uuid_floor((last_day + 1)::timestamp AT TIME ZONE 'UTC');
  first_text text := to_char(first_day, 'YYYYMMDD');
  last_text text := to_char(last_day, 'YYYYMMDD');
  -- A rejection belongs to no delivery.
  kept_tables text[] := ARRAY['deliveries', 'events', 'event_terms', 'attempts'];
  parent text;
  part text;
  key_column text;
  source record;
  keeps boolean;
  -- Every transaction that the copy may not have seen is no older than this one.
  since xid8 := pg_snapshot_xmin(pg_current_snapshot());
  copied bigint := 0;
  stage text;
BEGIN
  dropped := ARRAY[]::text[];
  kept_deliveries := 0;
  -- "parr" in ASCII.
  IF NOT pg_try_advisory_xact_lock(1885434482) THEN
    outcome := 'running';
    RETURN;
  END IF;
  -- Of older days too: an attempt of these days can belong to an older delivery that is kept.
  keeps := EXISTS (SELECT FROM deliveries WHERE id < upper AND next_attempt_at IS NOT NULL);
  IF keeps THEN
    FOREACH parent IN ARRAY kept_tables LOOP
      part := parent || '_keeping';
      key_column := CASE parent WHEN 'event_terms' THEN 'event_id' ELSE 'id' END;
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
      -- With this constraint, attaching the table reads no row of it.
      EXECUTE format('ALTER TABLE %I ADD CONSTRAINT within_days CHECK (%I >= %L AND %I < %L)', part, key_column, lower,
        key_column, upper);
    END LOOP;
    copied := copy_unfinished(lower, upper, NULL, copied);
    INSERT INTO attempts_keeping
    SELECT s.* FROM attempts s WHERE s.id >= lower AND s.id < upper
      AND s.delivery_id IN (SELECT id FROM deliveries WHERE id < lower AND next_attempt_at IS NOT NULL);
    ANALYZE deliveries_keeping;
  END IF;

  FOR try IN 1..4 LOOP
    BEGIN
      stage := 'tables_busy';
      LOCK TABLE ONLY attempts, ONLY deliveries, ONLY event_terms, ONLY events, ONLY rejections
        IN ACCESS EXCLUSIVE MODE;
      stage := 'days_busy';
      IF keeps THEN
        kept_deliveries := copy_unfinished(lower, upper, since, copied);
      ELSIF EXISTS (SELECT FROM deliveries WHERE id < upper AND next_attempt_at IS NOT NULL) THEN
        -- Somebody has just retried a delivery. The next run keeps it.
        outcome := 'days_busy';
        RETURN;
      END IF;
      FOR source IN
        SELECT p.relname AS parent_name, c.relname AS name
        FROM pg_inherits JOIN pg_class p ON p.oid = inhparent JOIN pg_class c ON c.oid = inhrelid
        WHERE inhparent IN ('attempts'::regclass, 'deliveries'::regclass, 'event_terms'::regclass, 'events'::regclass,
            'rejections'::regclass)
          AND c.relname ~ ('^' || p.relname || '_(kept_[0-9]{8}_)?[0-9]{8}$')
          AND right(c.relname, 8) BETWEEN first_text AND last_text
        ORDER BY c.relname
      LOOP
        EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', source.parent_name, source.name);
        EXECUTE format('DROP TABLE %I', source.name);
        dropped := dropped || source.name::text;
      END LOOP;
      IF keeps THEN
        FOREACH parent IN ARRAY kept_tables LOOP
          part := format('%s_kept_%s_%s', parent, first_text, last_text);
          EXECUTE format('ALTER TABLE %I RENAME TO %I', parent || '_keeping', part);
          EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part, lower, upper);
          EXECUTE format('ALTER TABLE %I DROP CONSTRAINT within_days', part);
        END LOOP;
      END IF;
      outcome := 'retired';
      RETURN;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      -- This try holds no lock any more.
      outcome := stage;
      dropped := ARRAY[]::text[];
      kept_deliveries := 0;
    END;
    PERFORM pg_sleep(0.1 * try);
  END LOOP;
  IF keeps THEN
    DROP TABLE deliveries_keeping, events_keeping, event_terms_keeping, attempts_keeping;
  END IF;
END $$;
--> statement-breakpoint

-- One row: when the next drop is due, and what the last one left.
CREATE TABLE retention_state (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  -- One worker takes the turn by setting it.
  next_drop_at timestamptz NOT NULL DEFAULT now(),
  -- Days past retention whose partitions are not dropped yet.
  overdue_days integer NOT NULL DEFAULT 0,
  -- Deliveries past retention that are not finished, by the state of their target.
  unfinished jsonb NOT NULL DEFAULT '{}'
);
--> statement-breakpoint
INSERT INTO retention_state DEFAULT VALUES;
--> statement-breakpoint

-- An insert and a delete for each event: by default, a fifth of the ledger would be dead before it is vacuumed.
ALTER TABLE event_keys SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.05);
--> statement-breakpoint

-- A number that is another one after a dump was restored into another cluster; null where the function is not allowed.
CREATE FUNCTION cluster_number() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT system_identifier FROM pg_control_system());
EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
  RETURN NULL;
END $$;
--> statement-breakpoint
ALTER TABLE stats_position
  -- When and where the position was stored. The snapshot `counted` means something in this cluster only.
  ADD COLUMN counted_at timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN cluster bigint;
--> statement-breakpoint
UPDATE stats_position SET counted_at = clock_timestamp(), cluster = cluster_number();
--> statement-breakpoint
-- A trigger, because workers of the version before store positions too.
CREATE FUNCTION stamp_stats_position() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.counted_at := clock_timestamp();
  NEW.cluster := cluster_number();
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER stats_position_stamp BEFORE UPDATE OF counted ON stats_position
  FOR EACH ROW EXECUTE FUNCTION stamp_stats_position();
