-- What was written, in the order of commits, for the live tail; and the figures that are counted of it.

CREATE SEQUENCE changes_id;
--> statement-breakpoint
-- One row for each statement that writes to the log, made by that statement: a row for each delivery would cost the
-- relay as much as the delivery. What is in nobody's array did not happen. A batch of 500 ids is not compressed, nor
-- moved out of line: ids have nothing to gain by it.
CREATE TABLE changes (
  -- Tells what was committed since a snapshot was taken, whatever the clocks said and however late it came.
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  -- The order of the statements of a transaction.
  id bigint NOT NULL DEFAULT nextval('changes_id'),
  at timestamptz NOT NULL DEFAULT now(),
  event_ids uuid[],
  attempt_ids uuid[],
  -- Of deliveries. Those that were retried by hand are in one of the last two: reopened ones had been finished.
  created_ids uuid[],
  succeeded_ids uuid[],
  exhausted_ids uuid[],
  cancelled_ids uuid[],
  retried_ids uuid[],
  reopened_ids uuid[],
  PRIMARY KEY (xid, id)
) WITH (toast_tuple_target = 8160);
--> statement-breakpoint
-- One row: what of the changes is in the figures is what this snapshot sees.
CREATE TABLE stats_position (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  counted pg_snapshot NOT NULL
);
--> statement-breakpoint
INSERT INTO stats_position (counted) VALUES (pg_current_snapshot());
--> statement-breakpoint

-- The figures of each minute, hour and day, in every cut that is asked for: whoever asks for targets reads a row for
-- each target, and not one for each target, source and type.
CREATE TABLE stats (
  resolution text NOT NULL CHECK (resolution IN ('minute', 'hour', 'day')),
  -- grouping(target_id, source_id, event_type): a bit for each column that is left out, and then null.
  cut smallint NOT NULL,
  start timestamptz NOT NULL,
  -- Null also for events, which have no target.
  target_id uuid,
  source_id uuid,
  -- Null also where an event names none.
  event_type text,
  events integer NOT NULL,
  deliveries integer NOT NULL,
  succeeded integer NOT NULL,
  exhausted integer NOT NULL,
  cancelled integer NOT NULL,
  retried integer NOT NULL,
  attempts_succeeded integer NOT NULL,
  attempts_failed integer NOT NULL,
  -- For each bound of store/latency.ts, how many attempts took no longer. Cumulative, so that a percentile is a binary
  -- search; null without attempts.
  latency integer[]
) WITH (fillfactor = 80);
--> statement-breakpoint
CREATE UNIQUE INDEX stats_key ON stats (resolution, cut, start, target_id, source_id, event_type) NULLS NOT DISTINCT;
--> statement-breakpoint
-- The deliveries that are pending, by the minute in which they were made.
CREATE TABLE stats_waiting (
  target_id uuid NOT NULL,
  since timestamptz NOT NULL,
  waiting integer NOT NULL,
  PRIMARY KEY (target_id, since)
) WITH (fillfactor = 80);
--> statement-breakpoint
INSERT INTO stats_waiting (target_id, since, waiting)
SELECT target_id, date_trunc('minute', created_at), count(*) FROM deliveries WHERE next_attempt_at IS NOT NULL GROUP BY 1, 2;
--> statement-breakpoint

CREATE FUNCTION add_counts(a integer[], b integer[]) RETURNS integer[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT array_agg(x + y ORDER BY n) FROM unnest(a, b) WITH ORDINALITY AS t(x, y, n));
--> statement-breakpoint
CREATE AGGREGATE sum_counts(integer[]) (sfunc = add_counts, stype = integer[], parallel = safe);
